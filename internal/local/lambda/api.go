package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// runtimeAPI is what a function's runtime asks for its events. Source: AWS
// Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
func (v *environment) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-v.events:
			id, deadline := v.begin(e)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", v.ARN)
			_, _ = w.Write(e.payload)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		v.finish(w, r, func(payload []byte) result { return result{payload: payload} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		v.finish(w, r, func(payload []byte) result { return result{err: functionError(payload)} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(io.LimitReader(r.Body, maxPayload))
		v.log.Printf("the function did not start: %v", functionError(payload))
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// maxPayload is the largest answer that a function may give, in bytes.
const maxPayload = 6 << 20

func (v *environment) finish(w http.ResponseWriter, r *http.Request, outcome func([]byte) result) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if !v.end(r.PathValue("id"), outcome(payload)) {
		http.Error(w, `{"errorType": "InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func functionError(payload []byte) error {
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("the function failed: %s", payload)
	}
	return fmt.Errorf("the function failed: %s: %s", e.ErrorType, e.ErrorMessage)
}
