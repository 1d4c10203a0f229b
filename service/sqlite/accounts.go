package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const getAccount = "SELECT name, password_hash, changed FROM accounts WHERE name = ?"

// Account implements directory.Accounts.
func (s *Store) Account(ctx context.Context, name string) (directory.Account, error) {
	return found(scanAccount(s.reads.QueryRowContext(ctx, getAccount, name)))
}

// Accounts implements directory.Accounts.
func (s *Store) Accounts(ctx context.Context) ([]directory.Account, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT name, password_hash, changed FROM accounts ORDER BY name")
	return collect(rows, err, scanAccount)
}

// CreateAccount implements directory.Accounts.
func (s *Store) CreateAccount(ctx context.Context, a directory.Account) error {
	_, err := s.writes.ExecContext(ctx, "INSERT INTO accounts (name, password_hash, changed) VALUES (?, ?, ?)",
		a.Name, a.PasswordHash, a.Changed.UnixNano())
	if taken(err) {
		return directory.ErrConflict
	}
	return unavailable(err)
}

// UpdateAccount implements directory.Accounts.
func (s *Store) UpdateAccount(ctx context.Context, a directory.Account, since time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		stored, err := found(scanAccount(tx.QueryRowContext(ctx, getAccount, a.Name)))
		if err != nil {
			return err
		}
		if !since.IsZero() && !stored.Changed.Equal(since) {
			return directory.ErrConflict
		}
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET password_hash = ?, changed = ? WHERE name = ?",
			a.PasswordHash, a.Changed.UnixNano(), a.Name)
		return err
	})
}

// DeleteAccount implements directory.Accounts.
func (s *Store) DeleteAccount(ctx context.Context, name string) error {
	return changed(s.writes.ExecContext(ctx, "DELETE FROM accounts WHERE name = ?", name))
}

func scanAccount(row scanner) (directory.Account, error) {
	var a directory.Account
	var changed int64
	err := row.Scan(&a.Name, &a.PasswordHash, &changed)
	a.Changed = time.Unix(0, changed).UTC()
	return a, err
}
