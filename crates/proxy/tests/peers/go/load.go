package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// load asks for URL/N for each N below COUNT, AT_ONCE of them at a time, and expects N as the answer. POST and PUT have a
// body of SIZE bytes that begins with N and a semicolon. Between two of the same row it waits for 0 to PAUSE, in tenths. The
// METHOD may be several, apart by commas, in turn.
func load(version string, arguments []string) {
	numbers := make([]int, 3)
	for index := range numbers {
		number, err := strconv.Atoi(arguments[index+1])
		if err != nil {
			fail("%v", err)
		}
		numbers[index] = number
	}
	pause, err := time.ParseDuration(arguments[4])
	if err != nil {
		fail("%v", err)
	}
	count, rows, size := numbers[0], numbers[1], numbers[2]
	methods, url := strings.Split(arguments[0], ","), arguments[5]
	client := speaking(version, trusting(arguments[6:]))
	var next atomic.Int64
	failed := together(rows, func(row int) error {
		for turn := row; ; turn++ {
			number := int(next.Add(1) - 1)
			if number >= count {
				return nil
			}
			if err := askFor(client, methods[number%len(methods)], url, number, size); err != nil {
				return err
			}
			time.Sleep(pause * time.Duration(turn%11) / 10)
		}
	})
	if failed != nil {
		fail("%v", failed)
	}
	fmt.Println("ok", count)
}

func askFor(client *http.Client, method, url string, number, size int) error {
	var body io.Reader
	if (method == http.MethodPost || method == http.MethodPut) && size > 0 {
		text := fmt.Sprintf("%d;", number)
		body = bytes.NewReader([]byte(text + strings.Repeat("b", max(0, size-len(text)))))
	}
	request, err := http.NewRequest(method, fmt.Sprintf("%s/%d", url, number), body)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %d: %w", method, number, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || string(content) != strconv.Itoa(number) {
		return fmt.Errorf("%s %d: answered %s %.300q %v", method, number, answer.Status, content, err)
	}
	return nil
}
