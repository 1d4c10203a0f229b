package dynamo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/archipelago-cdk/archipelago/service/storetest"
)

// TestCallsEndWithTheirContext: whether DynamoDB is silent or refuses again and
// again, every call returns when its time is over, and says why.
func TestCallsEndWithTheirContext(t *testing.T) {
	silent := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"silent":  func(http.ResponseWriter, *http.Request) { <-silent },
		"failing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"throttling": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}`))
		},
	}
	for name, handler := range handlers {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		client := newClient(server.URL)
		employees, accounts, sessions := quiet(client, "employees"), dynamo.NewAccounts(client, "employees"), dynamo.NewSessions(client, "sessions")
		e := directory.Employee{ID: "ada", FullName: "Ada", Version: 1}
		calls := map[string]func(context.Context) error{
			"Get":  func(ctx context.Context) error { _, err := employees.Get(ctx, "ada"); return err },
			"Page": func(ctx context.Context) error { _, err := employees.Page(ctx, directory.Query{Limit: 1}); return err },
			"Locations": func(ctx context.Context) error {
				_, err := employees.Locations(ctx, directory.LocationQuery{Limit: 1})
				return err
			},
			"Total":         func(ctx context.Context) error { _, err := employees.Total(ctx, directory.Query{}); return err },
			"Create":        func(ctx context.Context) error { _, err := employees.Create(ctx, e); return err },
			"Update":        func(ctx context.Context) error { _, err := employees.Update(ctx, e); return err },
			"Delete":        func(ctx context.Context) error { return employees.Delete(ctx, "ada", 1) },
			"Ping":          employees.Ping,
			"Repair":        func(ctx context.Context) error { return employees.Repair(ctx, time.Now()) },
			"Account":       func(ctx context.Context) error { _, err := accounts.Account(ctx, "ada"); return err },
			"Accounts":      func(ctx context.Context) error { _, err := accounts.Accounts(ctx); return err },
			"CreateAccount": func(ctx context.Context) error { return accounts.CreateAccount(ctx, directory.Account{Name: "ada"}) },
			"UpdateAccount": func(ctx context.Context) error {
				return accounts.UpdateAccount(ctx, directory.Account{Name: "ada"}, time.Time{})
			},
			"DeleteAccount": func(ctx context.Context) error { return accounts.DeleteAccount(ctx, "ada") },
			"PutSession":    func(ctx context.Context) error { return sessions.PutSession(ctx, "key", nil, time.Now()) },
			"Session":       func(ctx context.Context) error { _, err := sessions.Session(ctx, "key"); return err },
			"DeleteSession": func(ctx context.Context) error { return sessions.DeleteSession(ctx, "key") },
			"Count":         func(ctx context.Context) error { _, err := sessions.Count(ctx, "key", time.Minute); return err },
			"PutHeartbeat":  func(ctx context.Context) error { return sessions.PutHeartbeat(ctx, directory.Heartbeat{Region: "r"}) },
			"Heartbeats":    func(ctx context.Context) error { _, err := sessions.Heartbeats(ctx); return err },
		}
		t.Run(name, func(t *testing.T) { storetest.CallsEnd(t, calls) })
	}
	// Servers are closed after the calls, and wait for their requests.
	t.Cleanup(func() { close(silent) })
}
