package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const password = "correct horse battery"

// memoryStore is a directory.Accounts.
type memoryStore struct {
	mu       sync.Mutex
	accounts map[string]directory.Account
	err      error
}

func (m *memoryStore) Account(_ context.Context, name string) (directory.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return directory.Account{}, m.err
	}
	a, ok := m.accounts[name]
	if !ok {
		return a, directory.ErrNotFound
	}
	return a, nil
}

func (m *memoryStore) Accounts(context.Context) ([]directory.Account, error) { return nil, m.err }

func (m *memoryStore) CreateAccount(_ context.Context, a directory.Account) error {
	if _, taken := m.accounts[a.Name]; taken {
		return directory.ErrConflict
	}
	m.accounts[a.Name] = a
	return m.err
}

func (m *memoryStore) UpdateAccount(_ context.Context, a directory.Account, since time.Time) error {
	stored, ok := m.accounts[a.Name]
	if !ok {
		return directory.ErrNotFound
	}
	if !since.IsZero() && !stored.Changed.Equal(since) {
		return directory.ErrConflict
	}
	m.accounts[a.Name] = a
	return m.err
}

func (m *memoryStore) DeleteAccount(_ context.Context, name string) error {
	delete(m.accounts, name)
	return m.err
}

// memoryCounts is a Counter without an end.
type memoryCounts struct {
	mu     sync.Mutex
	counts map[string]int64
	err    error
}

func (m *memoryCounts) Count(_ context.Context, key string, _ time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	m.counts[key]++
	return m.counts[key], nil
}

func (m *memoryCounts) Counted(_ context.Context, key string, _ time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[key], nil
}

// signIn makes an attempt from an address and a device of nobody.
func signIn(t *testing.T, accounts *Accounts, name, password string) (directory.Account, error) {
	t.Helper()
	found, _, err := accounts.SignIn(t.Context(), Attempt{Name: name, Password: password, Client: "192.0.2.1"})
	return found, err
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func newAccounts(t *testing.T) (*Accounts, *memoryStore) {
	t.Helper()
	store := &memoryStore{accounts: map[string]directory.Account{}}
	accounts := New(store, &memoryCounts{counts: map[string]int64{}}, func() time.Time { return noon })
	if err := accounts.Add(t.Context(), "ada", password); err != nil {
		t.Fatal(err)
	}
	return accounts, store
}

func TestSignIn(t *testing.T) {
	accounts, _ := newAccounts(t)
	got, err := signIn(t, accounts, "ada", password)
	if err != nil || got.Name != "ada" || !got.Changed.Equal(noon) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, pair := range map[string][2]string{
		"a wrong password":      {"ada", password + "."},
		"no password":           {"ada", ""},
		"an unknown account":    {"bob", password},
		"a name that none has":  {"Ada Lovelace", password},
		"no name":               {"", password},
		"a very long password":  {"ada", strings.Repeat("x", 1<<20)},
		"a password cut by NUL": {"ada", password + "\x00"},
	} {
		if got, err := signIn(t, accounts, pair[0], pair[1]); !errors.Is(err, ErrRefused) || got.Name != "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestNewPasswordReplacesTheOld(t *testing.T) {
	accounts, store := newAccounts(t)
	before := store.accounts["ada"]
	if err := accounts.SetPassword(t.Context(), "ada", "twelve purple kites sang"); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, accounts, "ada", password); !errors.Is(err, ErrRefused) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := signIn(t, accounts, "ada", "twelve purple kites sang"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if store.accounts["ada"].PasswordHash == before.PasswordHash {
		t.Error("the hash is the same")
	}
}

func TestSamePasswordHasAnotherHashEachTime(t *testing.T) {
	accounts, store := newAccounts(t)
	if err := accounts.Add(t.Context(), "bob", password); err != nil {
		t.Fatal(err)
	}
	if store.accounts["ada"].PasswordHash == store.accounts["bob"].PasswordHash {
		t.Error("two accounts have one hash")
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(store.accounts["ada"].PasswordHash, want) {
		t.Errorf("the hash is %q, want %s…", store.accounts["ada"].PasswordHash, want)
	}
}

// TestOneCharacterMayBeWrittenInTwoWays types é as one code point and as two.
func TestOneCharacterMayBeWrittenInTwoWays(t *testing.T) {
	accounts, _ := newAccounts(t)
	if err := accounts.SetPassword(t.Context(), "ada", "caf\u00e9 caf\u00e9 caf\u00e9"); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, accounts, "ada", "cafe\u0301 cafe\u0301 cafe\u0301"); err != nil {
		t.Error(err)
	}
}

// characters are n that nobody guesses, of three bytes each.
func characters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteRune(rune(0x4e00 + i*37))
	}
	return b.String()
}

func TestRefusedPasswordsAndNames(t *testing.T) {
	accounts, store := newAccounts(t)
	for name, test := range map[string]struct{ name, password, want string }{
		"too short":    {"bob", characters(11), "12 to 128 characters, got 11"},
		"too long":     {"bob", characters(129), "12 to 128 characters, got 129"},
		"not UTF-8":    {"bob", password + "\xff", "12 to 128 characters"},
		"a wrong name": {"Bob", password, `got "Bob"`},
		"a taken name": {"ada", password, directory.ErrConflict.Error()},
	} {
		err := accounts.Add(t.Context(), test.name, test.password)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), test.password) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
	if len(store.accounts) != 1 {
		t.Errorf("there are %d accounts", len(store.accounts))
	}
	for _, length := range []int{MinPassword, MaxPassword} {
		if err := accounts.SetPassword(t.Context(), "ada", characters(length)); err != nil {
			t.Errorf("%d characters: %v", length, err)
		}
	}
	if err := accounts.SetPassword(t.Context(), "bob", password); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("the password of nobody: %v", err)
	}
}

func TestStoreThatDoesNotAnswerIsNotARefusal(t *testing.T) {
	accounts, store := newAccounts(t)
	store.err = directory.ErrUnavailable
	if _, err := signIn(t, accounts, "ada", password); !errors.Is(err, directory.ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestDamagedHashNamesTheNextStepAndNotTheHash(t *testing.T) {
	accounts, store := newAccounts(t)
	store.accounts["ada"] = directory.Account{Name: "ada", PasswordHash: "$argon2id$secret"}
	_, err := signIn(t, accounts, "ada", password)
	if err == nil || errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "directory user passwd ada") {
		t.Errorf("got %v", err)
	}
}

// TestHashesWaitForEachOther holds both places and gives up waiting for one.
func TestHashesWaitForEachOther(t *testing.T) {
	accounts, _ := newAccounts(t)
	_, device, err := accounts.SignIn(t.Context(), Attempt{Name: "ada", Password: password, Client: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for range hashesAtOnce {
		accounts.strangers <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // with what comes before the wait
	defer cancel()
	at := Attempt{Name: "ada", Password: password, Client: "192.0.2.1"}
	if _, _, err := accounts.SignIn(ctx, at); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
	at.Device = device
	if _, _, err := accounts.SignIn(t.Context(), at); err != nil {
		t.Errorf("a crowd of strangers keeps a known device out: %v", err)
	}
	<-accounts.strangers
	if _, err := signIn(t, accounts, "ada", password); err != nil {
		t.Errorf("with a place: %v", err)
	}
}

// TestUnknownAccountTakesAsLong compares the fastest of a few.
func TestUnknownAccountTakesAsLong(t *testing.T) {
	accounts, _ := newAccounts(t)
	fastest := func(name string) time.Duration {
		least := time.Hour
		for range 5 {
			start := time.Now()
			if _, err := signIn(t, accounts, name, "a wrong password"); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	known, unknown := fastest("ada"), fastest("bob")
	if unknown < known/4 || unknown > 4*known {
		t.Errorf("a known account takes %s, an unknown one %s", known, unknown)
	}
}

func TestRandomPasswordsDiffer(t *testing.T) {
	a, b := RandomPassword(), RandomPassword()
	if a == b || len(a) < 20 {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestHashIsReadStrictly(t *testing.T) {
	const salt, key = "c2FsdHNhbHRzYWx0c2FsdA", "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U"
	if _, err := parseHash("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"",
		"$",
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$m=19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=019456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=+19456,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=31,t=2,p=4$" + salt + "$" + key,
		"$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2$" + salt + "$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "\n$" + key,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat(key, 3),
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key[:len(key)-1] + "F",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$",
	} {
		if h, err := parseHash(s); err == nil {
			t.Errorf("%q was read as %+v", s, h)
		}
	}
}

// FuzzHash reads any string: what is read costs no more than the limits and is
// written as it was.
func FuzzHash(f *testing.F) {
	f.Add(newHash().String())
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdA$a2V5a2V5a2V5a2V5")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q was read as %q", s, h)
		}
		if h.memory > maxMemory || h.passes > maxPasses || h.lanes > maxLanes || len(h.key) > maxBytes || len(h.salt) > maxBytes {
			t.Errorf("%q is over the limits", s)
		}
	})
}

func BenchmarkSignIn(b *testing.B) {
	store := &memoryStore{accounts: map[string]directory.Account{}}
	accounts := New(store, &memoryCounts{counts: map[string]int64{}}, time.Now)
	if err := accounts.Add(b.Context(), "ada", password); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := accounts.SignIn(b.Context(), Attempt{Name: "ada", Password: password, Client: "192.0.2.1"}); err != nil {
			b.Fatal(err)
		}
	}
}
