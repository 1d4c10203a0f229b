package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// TestConflictOfTwoRegions: a strong table's refusal of one of two writes at once is
// tried again, and if it stays is a conflict and not a store that cannot be used.
func TestConflictOfTwoRegions(t *testing.T) {
	for name, test := range map[string]struct {
		refusals int
		want     error
	}{
		"once":   {1, nil},
		"always": {100, directory.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-amz-json-1.0")
				if asked++; asked <= test.refusals {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = w.Write([]byte(`{"__type": "com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException"}`))
					return
				}
				_, _ = w.Write([]byte("{}"))
			}))
			defer server.Close()
			config, err := awsConfig(t.Context(), "eu-west-1", impatient(slog.New(slog.DiscardHandler))...)
			if err != nil {
				t.Fatal(err)
			}
			config.BaseEndpoint, config.Credentials = &server.URL, credentials.NewStaticCredentialsProvider("a", "b", "")
			accounts := dynamo.NewAccounts(dynamodb.NewFromConfig(config), "employees")
			if err := accounts.CreateAccount(t.Context(), directory.Account{Name: "ada"}); !errors.Is(err, test.want) {
				t.Errorf("got %v after %d calls, want %v", err, asked, test.want)
			}
			if asked < 2 {
				t.Error("it is not tried again")
			}
		})
	}
}
