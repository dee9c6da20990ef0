// Peers of the gateway's tests that are made with Go's own HTTP and gRPC: servers that print where they listen and end
// with their standard input, and clients that print what went well and fail with the first thing that did not.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const usage = `usage:
  peer grpc serve [CERTIFICATE KEY]
  peer grpc call ADDRESS [AUTHORITY]
  peer http serve [CERTIFICATE KEY]
  peer http call 1|2 URL [AUTHORITY]
  peer load 1|2 METHOD COUNT AT_ONCE SIZE PAUSE URL [AUTHORITY]`

// patience bounds everything a client waits for.
const patience = 20 * time.Second

func main() {
	arguments := os.Args[1:]
	if len(arguments) < 2 {
		fail("%s", usage)
	}
	switch words, rest := arguments[:2], arguments[2:]; {
	case words[0] == "load" && len(rest) >= 6:
		load(words[1], rest)
	case words[0] == "grpc" && words[1] == "serve":
		serveGRPC(rest)
	case words[0] == "grpc" && words[1] == "call" && len(rest) >= 1:
		callGRPC(rest[0], trusting(rest[1:]))
	case words[0] == "http" && words[1] == "serve":
		serveHTTP(rest)
	case words[0] == "http" && words[1] == "call" && len(rest) >= 2:
		callHTTP(rest[0], rest[1], trusting(rest[2:]))
	default:
		fail("%s", usage)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

// check is one thing that a client tries.
type check struct {
	name string
	run  func() error
}

// runAll stops at the first check that fails.
func runAll(checks []check) {
	for _, check := range checks {
		begun := time.Now()
		hung := time.AfterFunc(patience, func() { fail("%s: took too long", check.name) })
		if err := check.run(); err != nil {
			fail("%s: %v", check.name, err)
		}
		hung.Stop()
		fmt.Println("ok", check.name, time.Since(begun).Round(time.Millisecond))
	}
}

// listen prints where it listens, and ends the process with its standard input.
func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return listener
}

// trusting is for an authority whose certificate is in this file, or nil without one.
func trusting(files []string) *tls.Config {
	if len(files) == 0 {
		return nil
	}
	pem, err := os.ReadFile(files[0])
	if err != nil {
		fail("%v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		fail("no certificate in %s", files[0])
	}
	return &tls.Config{RootCAs: roots}
}
