package directory

import (
	"context"
	"regexp"
	"time"
)

// Account is somebody who may sign in.
type Account struct {
	// Name is what is typed to sign in; see ValidAccountName.
	Name string
	// PasswordHash is an argon2id hash in the PHC string format.
	PasswordHash string
	// Changed is when the password was set, in UTC. Sessions that began before
	// it are over.
	Changed time.Time
}

// accountName is what ValidAccountName tells.
var accountName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$`)

// ValidAccountName reports whether name may be an account's: 1 to 64 lower-case
// letters, digits, dots, hyphens and underscores, a letter or digit at both ends.
func ValidAccountName(name string) bool { return accountName.MatchString(name) }

// Accounts keeps accounts. Every method returns ErrUnavailable, wrapped, when the
// store does not answer.
type Accounts interface {
	// Account returns the account as of the last change in this region, or
	// ErrNotFound.
	Account(ctx context.Context, name string) (Account, error)
	// Accounts lists all accounts by name. It may miss changes of the last
	// moments.
	Accounts(ctx context.Context) ([]Account, error)
	// CreateAccount keeps a, or returns ErrConflict where its name is taken.
	CreateAccount(ctx context.Context, a Account) error
	// UpdateAccount replaces the account of a's name if the stored one's Changed
	// is since, or whatever it is if since is zero. Otherwise it changes nothing
	// and returns ErrConflict, or ErrNotFound where there is no such account.
	UpdateAccount(ctx context.Context, a Account, since time.Time) error
	// DeleteAccount removes the account, or returns ErrNotFound.
	DeleteAccount(ctx context.Context, name string) error
}
