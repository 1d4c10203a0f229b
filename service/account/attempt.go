package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Failed attempts to sign in within Window. Those that succeed do not count: an
// office behind one address signs in as often as it likes. The store counts, so
// the limits hold whichever instance answers.
const (
	// Window is how long failed attempts count.
	Window = 5 * time.Minute
	// failuresFrom is how many a client may have.
	failuresFrom = 30
	// failuresOfAt is how many a client may have at one account.
	failuresOfAt = 10
	// failuresAt is how many all clients together may have at one account. Its
	// known devices are not among them and not bound by it: who holds an account's
	// limit exhausted keeps nobody out who signed in with it before. Source:
	// OWASP, Slow Down Online Guessing Attacks with Device Cookies.
	failuresAt = 100
	// failuresOnDevice is how many a known device may have.
	failuresOnDevice = 10
)

// Attempt is an attempt to sign in.
type Attempt struct {
	// Name and Password are what was typed.
	Name, Password string
	// Client is what one client has to itself, such as an IP address. Required.
	Client string
	// Device is what an earlier SignIn returned to this device, or "".
	Device string
}

// TooManyError means that there were too many failed attempts.
type TooManyError struct {
	// After is how long it takes until the next attempt is let through.
	After time.Duration
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many failed attempts to sign in, the next one in %s", e.After)
}

// limit is how many failures are let through under a key.
type limit struct {
	key  string
	most int64
}

// limits are those of an attempt, the client's own first: what it cannot do any
// more is nobody else's failure. device is of a known device, else "".
func limits(at Attempt, device string) []limit {
	if device != "" {
		return []limit{{"failures on " + device, failuresOnDevice}}
	}
	limits := []limit{{"failures from " + at.Client, failuresFrom}}
	if directory.ValidAccountName(at.Name) {
		limits = append(limits,
			limit{"failures from " + at.Client + " at " + at.Name, failuresOfAt},
			limit{"failures at " + at.Name, failuresAt})
	}
	return limits
}

// check returns a *TooManyError if a limit is reached.
func (a *Accounts) check(ctx context.Context, limits []limit) error {
	for _, l := range limits {
		count, err := a.counts.Counted(ctx, l.key, Window)
		if err != nil {
			return fmt.Errorf("failed attempts to sign in: %w", err)
		}
		if count >= l.most {
			return &TooManyError{Window - time.Duration(a.now().UnixNano()%int64(Window))}
		}
	}
	return nil
}

// countWithin bounds the counting of a failure, for which the client need not wait.
const countWithin = 2 * time.Second

// fail counts a failed attempt.
func (a *Accounts) fail(ctx context.Context, limits []limit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countWithin)
	defer cancel()
	var errs []error
	for _, l := range limits {
		if _, err := a.counts.Count(ctx, l.key, Window); err != nil {
			errs = append(errs, fmt.Errorf("failed attempts to sign in: %w", err))
		}
	}
	return errors.Join(errs...)
}

// newDevice returns what makes a device known to an account: a random name, signed.
func newDevice(account directory.Account) string {
	name := rand.Text()
	return name + "." + sign(account, name)
}

// deviceOf returns the name of a device that the account knows, or "".
func deviceOf(account directory.Account, device string) string {
	name, signature, _ := strings.Cut(device, ".")
	if account.Name == "" || !hmac.Equal([]byte(signature), []byte(sign(account, name))) {
		return ""
	}
	return name
}

// sign signs a device's name with the hash of the account's password, which is
// secret, the same in every region, and needs no keeping: another password makes
// all devices strangers until they sign in with it. Nobody finds the password by
// a signature, since the hash has 128 bits of salt.
func sign(account directory.Account, device string) string {
	mac := hmac.New(sha256.New, []byte(account.PasswordHash))
	mac.Write([]byte("device\x00" + account.Name + "\x00" + device))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
