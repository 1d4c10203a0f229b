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

	"github.com/archipelago-cdk/archipelago/service/directory"
	"golang.org/x/text/unicode/norm"
)

// hashesAtOnce bounds what hashing takes of the memory: 19 MiB each, for those who
// come from known devices and for strangers each.
const hashesAtOnce = 2

var (
	// ErrRefused means that there is no such account, or that the password is not
	// its: which of both is not told.
	ErrRefused = errors.New("the name or the password is wrong")
	// ErrBusy means that too many people sign in; later it may go.
	ErrBusy = errors.New("too many sign-ins at once")
)

// Counter counts, for all instances. A directory.Sessions is one.
type Counter interface {
	Count(ctx context.Context, key string, window time.Duration) (int64, error)
	Counted(ctx context.Context, key string, window time.Duration) (int64, error)
}

// Accounts are those who may sign in.
type Accounts struct {
	store  directory.Accounts
	counts Counter
	now    func() time.Time
	// strangers and known are places to hash in: a crowd of strangers does not
	// keep anybody waiting whose device is known.
	strangers, known chan struct{}
	// nobody is the hash checked for unknown names, so that both cases take
	// equally long; no password matches it.
	nobody hash
}

// New returns the accounts in store. counts counts failed attempts to sign in; it
// may be nil where nobody does. now returns the present.
func New(store directory.Accounts, counts Counter, now func() time.Time) *Accounts {
	return &Accounts{
		store: store, counts: counts, now: now,
		strangers: make(chan struct{}, hashesAtOnce), known: make(chan struct{}, hashesAtOnce), nobody: newHash(),
	}
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
	return a.store.UpdateAccount(ctx, made, time.Time{})
}

// made is the account of a name with a new password.
func (a *Accounts) made(ctx context.Context, name, password string) (directory.Account, error) {
	if err := CheckPassword(name, password); err != nil {
		return directory.Account{}, err
	}
	release, err := place(ctx, a.known)
	if err != nil {
		return directory.Account{}, err
	}
	defer release()
	h := newHash()
	h.key = h.keyOf(normalized(password))
	return directory.Account{Name: name, PasswordHash: h.String(), Changed: a.now().UTC()}, nil
}

// ChangePassword replaces the password of the account that an attempt signs in
// with, which ends its sessions and makes its devices strangers. It returns the
// account, what makes this device known, and errors as SignIn and SetPassword do;
// directory.ErrConflict where somebody else changed the account meanwhile.
func (a *Accounts) ChangePassword(ctx context.Context, at Attempt, password string) (changed directory.Account, device string, err error) {
	if err := CheckPassword(at.Name, password); err != nil {
		return directory.Account{}, "", err
	}
	found, _, err := a.SignIn(ctx, at)
	if err != nil {
		return directory.Account{}, "", err
	}
	if changed, err = a.made(ctx, found.Name, password); err != nil {
		return directory.Account{}, "", err
	}
	changed.Changed = a.after(found.Changed)
	return changed, newDevice(changed), a.store.UpdateAccount(ctx, changed, found.Changed)
}

// EndSessions ends all sessions of an account, or returns directory.ErrNotFound.
func (a *Accounts) EndSessions(ctx context.Context, name string) error {
	for {
		found, err := a.store.Account(ctx, name)
		if err != nil {
			return err
		}
		since := found.Changed
		found.Changed = a.after(since)
		// The other change may have come with a session, too.
		if err := a.store.UpdateAccount(ctx, found, since); !errors.Is(err, directory.ErrConflict) {
			return err
		}
	}
}

// after is the present, or right after since if clocks differ.
func (a *Accounts) after(since time.Time) time.Time {
	if now := a.now().UTC(); now.After(since) {
		return now
	}
	return since.Add(time.Nanosecond)
}

// SignIn returns the account of a name if the password is its, and what makes this
// device known to it. It returns ErrRefused for a wrong name or password, a
// *TooManyError after too many of those, and ErrBusy where the wait for others'
// passwords takes too long. An unknown name takes as long as a wrong password.
func (a *Accounts) SignIn(ctx context.Context, at Attempt) (account directory.Account, device string, err error) {
	found, h, err := a.find(ctx, at.Name)
	if err != nil {
		return directory.Account{}, "", err
	}
	places, known := a.strangers, deviceOf(found, at.Device)
	if known != "" {
		places = a.known
	}
	limits := limits(at, known)
	if err := a.check(ctx, limits); err != nil {
		return directory.Account{}, "", err
	}
	release, err := place(ctx, places)
	if err != nil {
		return directory.Account{}, "", err
	}
	defer release()
	// Again: of many attempts at once, the first may have failed meanwhile.
	if err := a.check(ctx, limits); err != nil {
		return directory.Account{}, "", err
	}
	key := h.keyOf(normalized(at.Password))
	if subtle.ConstantTimeCompare(key, h.key) != 1 || found.Name == "" {
		// What cannot be counted is not answered, else it could be tried for ever.
		if err := a.fail(ctx, limits); err != nil {
			return directory.Account{}, "", err
		}
		return directory.Account{}, "", ErrRefused
	}
	return found, newDevice(found), nil
}

// waitWithin bounds the wait for others' hashes.
const waitWithin = 2 * time.Second

// place waits for a place to hash in, and returns what gives it back.
func place(ctx context.Context, places chan struct{}) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, waitWithin)
	defer cancel()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
		}
		return nil, ctx.Err()
	}
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

// normalized is a password as it is hashed: keyboards write one character in
// several ways. Source: NIST SP 800-63B, 5.1.1.2.
func normalized(password string) string { return norm.NFKC.String(password) }

// RandomPassword returns a password that nobody guesses: 26 letters and digits,
// 130 bits.
func RandomPassword() string { return strings.ToLower(rand.Text()) }
