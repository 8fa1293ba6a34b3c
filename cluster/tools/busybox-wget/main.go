// Command busybox-wget stands in for the one of Debian's static busybox, which crashes when it resolves a name. It knows the
// options -q, -O, -T, --header and --post-data, each an argument of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

func fetch() error {
	flag.Bool("q", false, "no progress (there is none)")
	to := flag.String("O", "", "the file to write to; - is the standard output")
	seconds := flag.Int("T", 900, "`seconds` until it gives up")
	body := flag.String("post-data", "", "send this with POST")
	header := http.Header{}
	flag.Func("header", "add this `header`, as NAME: VALUE", func(text string) error {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return errors.New("no colon")
		}
		header.Add(name, strings.TrimSpace(value))
		return nil
	})
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("usage: wget [-q] [-O FILE] [-T SECONDS] [--header NAME:VALUE] [--post-data TEXT] URL")
	}
	method := http.MethodGet
	if *body != "" {
		method = http.MethodPost
	}
	url := flag.Arg(0)
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	request, err := http.NewRequest(method, url, strings.NewReader(*body))
	if err != nil {
		return err
	}
	request.Header = header
	client := http.Client{Timeout: time.Duration(*seconds) * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return fmt.Errorf("server returned error: %s %s", response.Proto, response.Status)
	}
	file := os.Stdout
	if *to == "" {
		*to = path.Base(request.URL.Path)
	}
	if *to != "-" {
		if file, err = os.Create(*to); err != nil {
			return err
		}
		defer file.Close()
	}
	_, err = io.Copy(file, response.Body)
	return err
}

func main() {
	if err := fetch(); err != nil {
		fmt.Fprintln(os.Stderr, "wget:", err)
		os.Exit(1)
	}
}
