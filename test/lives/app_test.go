package lives_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/aws/jsii-runtime-go"
)

// appVariable makes this program the app of a cdk.json, in place of a test: it
// names the address of serveApp.
const appVariable = "ARCHIPELAGO_LIVES_APP"

func TestMain(m *testing.M) {
	if address := os.Getenv(appVariable); address != "" {
		if err := app(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// request is what the CDK CLI asks an app for.
type request struct {
	Context      map[string]any
	Account, Dir string
}

// app does what main.go does, but has the test's process do it: to start a CDK of
// its own takes most of a synth's time.
func app(address string) error {
	dir, err := filepath.Abs(os.Getenv("CDK_OUTDIR"))
	if err != nil {
		return err
	}
	r := request{Account: os.Getenv("CDK_DEFAULT_ACCOUNT"), Dir: dir}
	if err := json.Unmarshal([]byte(os.Getenv("CDK_CONTEXT_JSON")), &r.Context); err != nil {
		return fmt.Errorf("the CDK CLI's context: %w", err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	response, err := http.Post(address, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	message, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(message))
	}
	return err
}

// serveApp synthesizes for all lives, and returns the command that asks for it. What
// is deployed has stand-ins, but for what deployments wait for.
func serveApp(t *testing.T) string {
	t.Helper()
	standIns := builds(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked request
		err := json.NewDecoder(r.Body).Decode(&asked)
		if err == nil {
			err = synth.App(asked.Context, asked.Account, asked.Dir, standIns, nil)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return appVariable + "=" + server.URL + " " + strconv.Quote(executable)
}
