// Package account lets people sign in: it checks passwords, and keeps their
// hashes in a store of accounts.
package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"golang.org/x/text/unicode/norm"
)

const (
	// MinPassword and MaxPassword are how many characters a password may have.
	MinPassword = 12
	MaxPassword = 128
	// hashesAtOnce bounds what hashing takes of the memory: 19 MiB each.
	hashesAtOnce = 2
)

// ErrRefused means that there is no such account, or that the password is not
// its: which of both is not told.
var ErrRefused = errors.New("the name or the password is wrong")

// Accounts are those who may sign in.
type Accounts struct {
	store   directory.Accounts
	now     func() time.Time
	hashing chan struct{}
	// nobody is the hash that is checked for unknown names, so that both cases
	// take equally long; no password matches it.
	nobody hash
}

// New returns the accounts in store. now returns the present.
func New(store directory.Accounts, now func() time.Time) *Accounts {
	return &Accounts{store: store, now: now, hashing: make(chan struct{}, hashesAtOnce), nobody: newHash()}
}

// Add adds an account. It returns directory.ErrConflict where its name is taken,
// and says what a name or a password should be.
func (a *Accounts) Add(ctx context.Context, name, password string) error {
	if !directory.ValidAccountName(name) {
		return fmt.Errorf("want a name of 1 to 64 lower-case letters, digits, dots, hyphens and underscores that begins and ends with a letter or digit, got %q", name)
	}
	made, err := a.made(ctx, name, password)
	if err != nil {
		return err
	}
	return a.store.CreateAccount(ctx, made)
}

// SetPassword replaces an account's password, which ends its sessions. It
// returns directory.ErrNotFound where there is no such account, and says what a
// password should be.
func (a *Accounts) SetPassword(ctx context.Context, name, password string) error {
	if !directory.ValidAccountName(name) {
		return directory.ErrNotFound
	}
	made, err := a.made(ctx, name, password)
	if err != nil {
		return err
	}
	return a.store.UpdateAccount(ctx, made)
}

// made is the account of a name with a new password.
func (a *Accounts) made(ctx context.Context, name, password string) (directory.Account, error) {
	if n := utf8.RuneCountInString(normalized(password)); n < MinPassword || n > MaxPassword || !utf8.ValidString(password) {
		return directory.Account{}, fmt.Errorf("want a password of %d to %d characters, got %d", MinPassword, MaxPassword, n)
	}
	h := newHash()
	key, err := a.key(ctx, h, password)
	if err != nil {
		return directory.Account{}, err
	}
	h.key = key
	return directory.Account{Name: name, PasswordHash: h.String(), Changed: a.now().UTC()}, nil
}

// SignIn returns the account of a name if the password is its, else ErrRefused.
// An unknown name takes as long as a wrong password.
func (a *Accounts) SignIn(ctx context.Context, name, password string) (directory.Account, error) {
	found, h, err := a.find(ctx, name)
	if err != nil {
		return directory.Account{}, err
	}
	key, err := a.key(ctx, h, password)
	if err != nil {
		return directory.Account{}, err
	}
	if subtle.ConstantTimeCompare(key, h.key) != 1 || found.Name == "" {
		return directory.Account{}, ErrRefused
	}
	return found, nil
}

// find returns an account with its hash; one without a name, and nobody's hash,
// where there is none.
func (a *Accounts) find(ctx context.Context, name string) (directory.Account, hash, error) {
	if !directory.ValidAccountName(name) {
		return directory.Account{}, a.nobody, nil
	}
	found, err := a.store.Account(ctx, name)
	if errors.Is(err, directory.ErrNotFound) {
		return directory.Account{}, a.nobody, nil
	}
	if err != nil {
		return directory.Account{}, hash{}, err
	}
	h, err := parseHash(found.PasswordHash)
	if err != nil {
		return directory.Account{}, hash{}, fmt.Errorf("the password of account %q cannot be read: %w; set it again by `directory user passwd %s`", name, err, name)
	}
	return found, h, nil
}

// key hashes a password, at most a few at once.
func (a *Accounts) key(ctx context.Context, h hash, password string) ([]byte, error) {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
		return h.keyOf(normalized(password)), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// normalized is a password as it is hashed: keyboards write one character in
// several ways. Source: NIST SP 800-63B, 5.1.1.2.
func normalized(password string) string { return norm.NFKC.String(password) }

// RandomPassword returns a password that nobody guesses: 26 letters and digits,
// 130 bits.
func RandomPassword() string { return strings.ToLower(rand.Text()) }
