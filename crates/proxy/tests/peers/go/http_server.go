package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

// seen is what the server says of a request.
type seen struct {
	Proto   string
	Length  int64
	Sum     string
	Error   string
	Trailer http.Header
}

func serveHTTP(files []string) {
	pages := http.NewServeMux()
	pages.HandleFunc("/seen", tellSeen)
	pages.HandleFunc("/refused", func(answer http.ResponseWriter, _ *http.Request) {
		http.Error(answer, "not wanted", http.StatusRequestEntityTooLarge)
	})
	pages.HandleFunc("/hints", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Link", "</style.css>; rel=preload")
		answer.WriteHeader(http.StatusEarlyHints)
		answer.Header().Del("Link")
		fmt.Fprint(answer, "after hints")
	})
	pages.HandleFunc("/talk", talk)
	pages.HandleFunc("/broken", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(answer, "the first half")
		_ = http.NewResponseController(answer).Flush()
		panic(http.ErrAbortHandler)
	})
	server := &http.Server{Handler: pages, ErrorLog: log.New(os.Stderr, "", 0)}
	if len(files) == 2 {
		fail("%v", server.ServeTLS(listen(), files[0], files[1]))
	}
	fail("%v", server.Serve(listen()))
}

// tellSeen reads a request to its end, and answers with trailers, the last of which was not announced.
func tellSeen(answer http.ResponseWriter, request *http.Request) {
	answer.Header().Set("Trailer", "X-Sum, X-Length")
	answer.Header().Set("Content-Type", "application/json")
	hash := sha256.New()
	length, err := io.Copy(hash, request.Body)
	told := seen{Proto: request.Proto, Length: length, Sum: fmt.Sprintf("%x", hash.Sum(nil)), Trailer: request.Trailer}
	if err != nil {
		told.Error = err.Error()
	}
	_ = json.NewEncoder(answer).Encode(told)
	// In chunks, so that trailers have a place.
	_ = http.NewResponseController(answer).Flush()
	answer.Header().Set("X-Sum", told.Sum)
	answer.Header().Set("X-Length", fmt.Sprint(length))
	answer.Header().Set(http.TrailerPrefix+"X-Late", "late")
}

// talk gives back every piece as it comes.
func talk(answer http.ResponseWriter, request *http.Request) {
	control := http.NewResponseController(answer)
	_ = control.EnableFullDuplex()
	answer.WriteHeader(http.StatusOK)
	_ = control.Flush()
	piece := make([]byte, 32<<10)
	for {
		count, err := request.Body.Read(piece)
		if _, failed := answer.Write(piece[:count]); failed != nil {
			return
		}
		_ = control.Flush()
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
