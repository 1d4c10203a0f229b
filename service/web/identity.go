package web

import "context"

// accountKey is the context's key of the account's name that is signed in.
type accountKey struct{}

// accountOf returns the name of the account that a request is signed in with,
// or "".
func accountOf(ctx context.Context) string {
	name, _ := ctx.Value(accountKey{}).(string)
	return name
}

// withAccount returns a context of a request that is signed in with an account.
func withAccount(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, accountKey{}, name)
}
