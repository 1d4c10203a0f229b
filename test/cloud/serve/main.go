// Command serve is a service whose builds are as bad as BEHAVIOUR says: TestBuilds
// deploys them. As a Lambda function it fails at every event.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(func() error { return errors.New("as it was told") })
	}
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080")
	behaviour, argument, _ := strings.Cut(os.Getenv("BEHAVIOUR"), " ")
	every := int64(0) // which request fails: each, each second, …
	ready := time.Now()
	switch behaviour {
	case "exits":
		log.Fatal("as it was told")
	case "fails":
		if _, err := fmt.Sscan(argument, &every); err != nil {
			log.Fatal(err)
		}
	case "starts-after":
		d, err := time.ParseDuration(argument)
		if err != nil {
			log.Fatal(err)
		}
		ready = ready.Add(d)
	case "elsewhere":
		address = "127.0.0.1:0"
	}
	var requests atomic.Int64
	http.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(ready) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		if every > 0 && requests.Add(1)%every == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintln(w, os.Getenv("BEHAVIOUR"))
	})
	server := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
