package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const testPassword = "correct horse battery"

// userOf runs `directory user` on the embedded store in dir and returns what it
// prints.
func userOf(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := runUser(t.Context(), args, environment(map[string]string{"DATA_DIR": dir}), strings.NewReader(stdin), &out)
	return out.String(), err
}

func mustRunUser(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	out, err := userOf(t, dir, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signIn returns the cookie of a new session, or nil where it is refused.
func signIn(t *testing.T, address, name, password string) *http.Cookie {
	t.Helper()
	res, err := http.Post("http://"+address+"/api/session", "application/json",
		strings.NewReader(fmt.Sprintf(`{"name": %q, "password": %q}`, name, password)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for _, cookie := range res.Cookies() {
		return cookie
	}
	if res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("sign-in: %s", res.Status)
	}
	return nil
}

// printed finds the password that a command printed.
func printed(t *testing.T, out string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^  (\S{20,})$`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("there is no password in %q", out)
	}
	return found[1]
}

// TestAccountsWhileTheServiceRuns adds one, changes its password and removes it,
// and signs in meanwhile.
func TestAccountsWhileTheServiceRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, dir := freeAddress(t), t.TempDir()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, environment(map[string]string{"LISTEN": address, "DATA_DIR": dir}), io.Discard)
	}()
	awaitServing(t, address)
	ends := func(session *http.Cookie) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if !signedIn(t, address, session) {
				return
			}
		}
		t.Error("the session is there after five seconds")
	}

	first := printed(t, mustRunUser(t, dir, "", "add", "ada"))
	session := signIn(t, address, "ada", first)
	if session == nil || !signedIn(t, address, session) {
		t.Fatal("the printed password is not the account's")
	}
	second := printed(t, mustRunUser(t, dir, "", "passwd", "ada"))
	ends(session)
	if signIn(t, address, "ada", first) != nil {
		t.Error("the old password is taken")
	}
	if session = signIn(t, address, "ada", second); session == nil {
		t.Fatal("the new password is not taken")
	}
	mustRunUser(t, dir, "", "remove", "ada")
	ends(session)
	if signIn(t, address, "ada", second) != nil {
		t.Error("the removed account signs in")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func signedIn(t *testing.T, address string, session *http.Cookie) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+address+"/api/employees/nobody", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(session)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %s", res.Status)
	}
	return res.StatusCode == http.StatusNotFound
}

func TestUserList(t *testing.T) {
	dir := t.TempDir()
	if out := mustRunUser(t, dir, "", "list"); !strings.Contains(out, "directory user add NAME") {
		t.Errorf("an empty list is %q", out)
	}
	for _, name := range []string{"zoe", "ada"} {
		mustRunUser(t, dir, "", "add", name)
	}
	want := regexp.MustCompile(`^NAME  PASSWORD SET\nada   \d{4}-\d\d-\d\d \d\d:\d\d UTC\nzoe   .* UTC\n$`)
	if out := mustRunUser(t, dir, "", "list"); !want.MatchString(out) {
		t.Errorf("the list is %q", out)
	}
}

func TestFirstAccountOnly(t *testing.T) {
	dir := t.TempDir()
	printed(t, mustRunUser(t, dir, "", "add", "--if-none", "admin"))
	out := mustRunUser(t, dir, "", "add", "--if-none", "other")
	if !strings.Contains(out, "No account was added: there is admin already.") || !strings.Contains(out, "directory user passwd admin") {
		t.Errorf("the second time it prints %q", out)
	}
	if out := mustRunUser(t, dir, "", "list"); strings.Contains(out, "other") {
		t.Errorf("the list is %q", out)
	}
}

// TestPasswordFromStandardInput is printed nowhere.
func TestPasswordFromStandardInput(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"add", "--password-stdin", "ada"}, {"passwd", "ada", "--password-stdin"}, {"--password-stdin", "--data", dir, "passwd", "ada"},
	} {
		out := mustRunUser(t, dir, testPassword+"\r\n", args...)
		if strings.Contains(out, testPassword) || !strings.HasPrefix(out, "Account ada ") {
			t.Errorf("%q prints %q", args, out)
		}
	}
}

func TestUserErrorsNameTheNextStep(t *testing.T) {
	dir := t.TempDir()
	mustRunUser(t, dir, "", "add", "ada")
	for name, test := range map[string]struct {
		args  []string
		stdin string
		want  []string
	}{
		"nothing":              {nil, "", []string{"want add NAME, passwd NAME, remove NAME or list", "directory user --help"}},
		"an unknown word":      {[]string{"delete", "ada"}, "", []string{`got "delete ada"`}},
		"no name":              {[]string{"add"}, "", []string{`got "add"`}},
		"two names":            {[]string{"add", "bob", "zoe"}, "", []string{`got "add bob zoe"`}},
		"a list of one":        {[]string{"list", "ada"}, "", []string{`got "list ada"`}},
		"several at once":      {[]string{"list", "--if-none", "--password-stdin", "--sessions-table", "s"}, "", []string{"--if-none: want", "--password-stdin: want", "EMPLOYEES_TABLE: want"}},
		"a taken name":         {[]string{"add", "ada"}, "", []string{`account "ada" already`, "directory user passwd ada"}},
		"a wrong name":         {[]string{"add", "Ada Lovelace"}, "", []string{"lower-case letters", `got "Ada Lovelace"`}},
		"passwd of nobody":     {[]string{"passwd", "bob"}, "", []string{`no account "bob"`, "directory user list"}},
		"passwd of no name":    {[]string{"passwd", ""}, "", []string{`no account ""`}},
		"removal of nobody":    {[]string{"remove", "bob"}, "", []string{`no account "bob"`, "directory user list"}},
		"removal of no name":   {[]string{"remove", "../x"}, "", []string{`no account "../x"`}},
		"a short password":     {[]string{"add", "bob", "--password-stdin"}, "s3cret\n", []string{"12 to 128 characters, got 6"}},
		"no password":          {[]string{"add", "bob", "--password-stdin"}, "", []string{"12 to 128 characters, got 0"}},
		"a very long password": {[]string{"passwd", "ada", "--password-stdin"}, strings.Repeat("s3cret", 1000), []string{"12 to 128 characters"}},
		"several lines":        {[]string{"add", "bob", "--password-stdin"}, "s3cret s3cret\ns3cret\n", []string{"want one line"}},
	} {
		out, err := userOf(t, dir, test.stdin, test.args...)
		if err == nil {
			t.Errorf("%s: it was taken, and prints %q", name, out)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q: %v", name, want, err)
			}
		}
		if strings.Contains(err.Error()+out, "s3cret") {
			t.Errorf("%s: the password is told: %v %q", name, err, out)
		}
	}
	if out := mustRunUser(t, dir, "", "list"); strings.Count(out, "\n") != 2 {
		t.Errorf("the list is %q", out)
	}
}

// TestConflictWithAnotherRegion: that an account exists already is said where one is added.
func TestConflictWithAnotherRegion(t *testing.T) {
	for verb, want := range map[string]string{
		"add":    `there is an account "ada" already; for another password: directory user passwd ada`,
		"passwd": `another region wrote the account "ada" at the same time; try again`,
		"remove": `another region wrote the account "ada" at the same time; try again`,
	} {
		u := user{verb: verb, name: "ada"}
		if got := u.explain(fmt.Errorf("%w: a write in eu-west-1", directory.ErrConflict)); got.Error() != want {
			t.Errorf("%s: got %v, want %s", verb, got, want)
		}
	}
}

func TestAccountsThatCannotBeReached(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	mustRunUser(t, dir, "", "add", "ada")
	cancel()
	err := runUser(ctx, []string{"list"}, environment(map[string]string{"DATA_DIR": dir}), nil, io.Discard)
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want where the accounts should be", err)
	}
	err = runUser(t.Context(), []string{"list"}, environment(map[string]string{"DATA_DIR": filepath.Join(dir, "directory.db")}), nil, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("got %v, want what is wrong with the data directory", err)
	}
}

func TestHelpListsTheCommands(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"user", "--help"}, {"user", "add", "-h"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, environment(nil), &out); err != nil {
			t.Errorf("%q: %v", args, err)
		}
		wanted := []string{"directory user", "keep", "[EMPLOYEES_TABLE]"}
		if args[0] == "user" {
			wanted = []string{"add NAME", "passwd NAME", "remove NAME", "user list", "-password-stdin", "-if-none", "[DATA_DIR]"}
		}
		for _, want := range wanted {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q prints no %q:\n%s", args, want, out.String())
			}
		}
	}
}
