package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Accounts runs the suite on a store of accounts. newStore returns an empty one.
func Accounts(t *testing.T, newStore func(*testing.T) directory.Accounts) {
	tests := map[string]func(*testing.T, directory.Accounts){
		"create and get":   testCreateAccount,
		"a name is taken":  testTakenName,
		"unknown accounts": testUnknownAccount,
		"update":           testUpdateAccount,
		"delete":           testDeleteAccount,
		"list":             testListAccounts,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func account(name string) directory.Account {
	return directory.Account{
		Name: name, PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$" + name,
		Changed: time.Date(2026, 7, 1, 12, 30, 15, 123456789, time.UTC),
	}
}

func createAccount(t *testing.T, s directory.Accounts, a directory.Account) {
	t.Helper()
	if err := s.CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func wantAccount(t *testing.T, s directory.Accounts, want directory.Account) {
	t.Helper()
	got, err := s.Account(t.Context(), want.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the account differs (-want +got):\n%s", diff)
	}
}

func wantNoAccount(t *testing.T, s directory.Accounts, name string) {
	t.Helper()
	_, err := s.Account(t.Context(), name)
	wantError(t, err, directory.ErrNotFound)
}

func testCreateAccount(t *testing.T, s directory.Accounts) {
	createAccount(t, s, account("ada"))
	wantAccount(t, s, account("ada"))
	wantNoAccount(t, s, "ad")
}

func testTakenName(t *testing.T, s directory.Accounts) {
	results := make([]error, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			a := account("ada")
			a.PasswordHash = fmt.Sprint(i)
			results[i] = s.CreateAccount(t.Context(), a)
		})
	}
	wg.Wait()
	created := 0
	for i, err := range results {
		if err != nil {
			wantError(t, err, directory.ErrConflict)
			continue
		}
		created++
		want := account("ada")
		want.PasswordHash = fmt.Sprint(i)
		wantAccount(t, s, want)
	}
	if created != 1 {
		t.Errorf("%d of the accounts of one name were created, want 1", created)
	}
}

func testUnknownAccount(t *testing.T, s directory.Accounts) {
	wantNoAccount(t, s, "ada")
	wantError(t, s.UpdateAccount(t.Context(), account("ada"), time.Time{}), directory.ErrNotFound)
	wantError(t, s.UpdateAccount(t.Context(), account("ada"), account("ada").Changed), directory.ErrNotFound)
	wantError(t, s.DeleteAccount(t.Context(), "ada"), directory.ErrNotFound)
	wantNoAccount(t, s, "ada")
}

func testUpdateAccount(t *testing.T, s directory.Accounts) {
	createAccount(t, s, account("ada"))
	createAccount(t, s, account("bob"))
	want := account("ada")
	want.PasswordHash, want.Changed = "another", want.Changed.Add(time.Nanosecond)
	if err := s.UpdateAccount(t.Context(), want, time.Time{}); err != nil {
		t.Fatal(err)
	}
	wantAccount(t, s, want)
	// One who read the account before that changes nothing any more.
	stale := want
	stale.PasswordHash, stale.Changed = "a third", want.Changed.Add(time.Second)
	wantError(t, s.UpdateAccount(t.Context(), stale, account("ada").Changed), directory.ErrConflict)
	wantAccount(t, s, want)
	if err := s.UpdateAccount(t.Context(), stale, want.Changed); err != nil {
		t.Fatal(err)
	}
	wantAccount(t, s, stale)
	wantAccount(t, s, account("bob"))
}

func testDeleteAccount(t *testing.T, s directory.Accounts) {
	createAccount(t, s, account("ada"))
	createAccount(t, s, account("bob"))
	if err := s.DeleteAccount(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	wantNoAccount(t, s, "ada")
	eventuallyAccounts(t, s, []directory.Account{account("bob")})
	createAccount(t, s, account("ada"))
}

func testListAccounts(t *testing.T, s directory.Accounts) {
	eventuallyAccounts(t, s, nil)
	for _, name := range []string{"bob", "zoe", "ada", "ada-2"} {
		createAccount(t, s, account(name))
	}
	eventuallyAccounts(t, s, []directory.Account{account("ada"), account("ada-2"), account("bob"), account("zoe")})
}

// eventuallyAccounts waits until the list is want.
func eventuallyAccounts(t *testing.T, s directory.Accounts, want []directory.Account) {
	t.Helper()
	eventuallyEqual(t, "accounts", want, func() []directory.Account {
		got, err := s.Accounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}, cmpopts.EquateEmpty())
}
