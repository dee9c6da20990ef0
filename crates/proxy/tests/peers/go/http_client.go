package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
)

// asker has what the checks ask with.
type asker struct {
	client *http.Client
	url    string
	major  int
}

// speaking is a client of one version of HTTP; of 2 by TLS alone.
func speaking(version string, trust *tls.Config) *http.Client {
	// A 100 that does not come is waited for until the check has taken too long.
	transport := &http.Transport{TLSClientConfig: trust, MaxIdleConnsPerHost: 200, ExpectContinueTimeout: 2 * patience}
	if version == "2" {
		transport.ForceAttemptHTTP2 = true
	} else {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return &http.Client{Transport: transport, Timeout: patience}
}

func callHTTP(version, url string, trust *tls.Config) {
	own := asker{speaking(version, trust), url, int(version[0] - '0')}
	runAll([]check{
		{"bodies of every kind", own.bodies},
		{"trailers of both sides", own.trailers},
		{"100-continue", own.continues},
		{"100-continue that is refused", own.refused},
		{"answers before the end of the body", own.early},
		{"early hints", own.hints},
		{"a conversation", own.talks},
		{"an answer that breaks off", own.breaks},
	})
}

func noise(size int) []byte {
	bytes := make([]byte, size)
	_, _ = rand.Read(bytes)
	return bytes
}

// unsized hides how long a body is.
func unsized(body []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(body))
}

func (a asker) post(ctx context.Context, path string, body io.Reader, shape func(*http.Request)) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+path, body)
	if err != nil {
		return nil, nil, err
	}
	shape(request)
	answer, err := a.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.ProtoMajor != a.major {
		err = fmt.Errorf("answered over %s", answer.Proto)
	}
	return answer, content, err
}

// arrives posts a body, and holds what the server saw and its trailers against it.
func (a asker) arrives(ctx context.Context, body []byte, of io.Reader, shape func(*http.Request)) (seen, error) {
	var told seen
	answer, content, err := a.post(ctx, "/seen", of, shape)
	if err != nil {
		return told, err
	}
	if answer.StatusCode != http.StatusOK {
		return told, fmt.Errorf("answered %s: %s", answer.Status, content)
	}
	if err := json.Unmarshal(content, &told); err != nil {
		return told, fmt.Errorf("%w: %q", err, content)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(body))
	if told.Error != "" || told.Length != int64(len(body)) || told.Sum != sum {
		return told, fmt.Errorf("%d bytes arrive as %+v", len(body), told)
	}
	for name, value := range map[string]string{"X-Sum": sum, "X-Length": fmt.Sprint(len(body)), "X-Late": "late"} {
		if answer.Trailer.Get(name) != value {
			return told, fmt.Errorf("trailers of the answer arrive as %v", answer.Trailer)
		}
	}
	return told, nil
}

func plainly(*http.Request) {}

func expecting(request *http.Request) {
	request.Header.Set("Expect", "100-continue")
}

func (a asker) bodies() error {
	for _, size := range []int{0, 1, 100, 8192, 65535, 65536, 1 << 20, 5 << 20} {
		body := noise(size)
		for _, of := range []io.Reader{bytes.NewReader(body), unsized(body)} {
			if _, err := a.arrives(context.Background(), body, of, plainly); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a asker) trailers() error {
	for _, size := range []int{1, 100_000} {
		body := noise(size)
		told, err := a.arrives(context.Background(), body, unsized(body), func(request *http.Request) {
			request.Trailer = http.Header{"X-Checked": {"yes"}, "X-Also": {"one", "two"}}
		})
		if err != nil {
			return err
		}
		if told.Trailer.Get("X-Checked") != "yes" || len(told.Trailer["X-Also"]) != 2 {
			return fmt.Errorf("trailers of the request arrive as %v", told.Trailer)
		}
	}
	return nil
}

func (a asker) continues() error {
	for _, size := range []int{1, 1 << 20} {
		body := noise(size)
		for _, of := range []io.Reader{bytes.NewReader(body), unsized(body)} {
			var asked atomic.Int64
			trace := &httptrace.ClientTrace{Got100Continue: func() { asked.Add(1) }}
			ctx := httptrace.WithClientTrace(context.Background(), trace)
			if _, err := a.arrives(ctx, body, of, expecting); err != nil {
				return err
			}
			if asked.Load() != 1 {
				return fmt.Errorf("asked for the body %d times", asked.Load())
			}
		}
	}
	return nil
}

// refused is answered by the gateway, which has no such page, before it has asked for the body.
func (a asker) refused() error {
	body := bytes.NewReader(noise(1 << 20))
	answer, content, err := a.post(context.Background(), "/nowhere", body, expecting)
	if err != nil || answer.StatusCode != http.StatusNotFound {
		return fmt.Errorf("answered %v %s %w", answer, content, err)
	}
	if body.Len() != 1<<20 {
		return fmt.Errorf("%d bytes were sent", 1<<20-body.Len())
	}
	return nil
}

// early is answered by a server that reads nothing.
func (a asker) early() error {
	for _, size := range []int{1000, 300_000} {
		for range 5 {
			answer, content, err := a.post(context.Background(), "/refused", unsized(noise(size)), plainly)
			if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge || string(content) != "not wanted\n" {
				return fmt.Errorf("%d bytes: answered %v %q %w", size, answer, content, err)
			}
		}
	}
	return nil
}

func (a asker) hints() error {
	var links []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, fields textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints {
			links = append(links, fields.Get("Link"))
		}
		return nil
	}}
	ctx := httptrace.WithClientTrace(context.Background(), trace)
	_, content, err := a.post(ctx, "/hints", nil, plainly)
	if err != nil || string(content) != "after hints" || len(links) != 1 || links[0] != "</style.css>; rel=preload" {
		return fmt.Errorf("answered %q after %q: %w", content, links, err)
	}
	return nil
}

// talks sends each line once the one before has come back.
func (a asker) talks() error {
	source, sink := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, a.url+"/talk", source)
	if err != nil {
		return err
	}
	// The answer may begin with the body, and over HTTP/1 Go waits for a first byte of it.
	go fmt.Fprintln(sink, "line 0")
	answer, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for number := range 20 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("line %d\n", number) {
			return fmt.Errorf("line %d comes back as %q: %w", number, line, err)
		}
		if _, err := fmt.Fprintf(sink, "line %d\n", number+1); err != nil {
			return err
		}
	}
	sink.Close()
	rest, err := io.ReadAll(lines)
	if err != nil || string(rest) != "line 20\n" {
		return fmt.Errorf("ends with %q: %w", rest, err)
	}
	return nil
}

// breaks asks for an answer that the gateway may have seen break off before it has sent any of it on, which is a 502.
func (a asker) breaks() error {
	answer, content, err := a.post(context.Background(), "/broken", nil, plainly)
	if err == nil && answer.StatusCode != http.StatusBadGateway {
		return errors.New("is taken for whole: " + string(content))
	}
	return nil
}
