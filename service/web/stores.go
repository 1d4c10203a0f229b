package web

import (
	"context"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// The stores as the service asks them: each call is bounded. They embed no store,
// so that no call of one can be forgotten.
type (
	askedEmployees struct{ store directory.Employees }
	askedPhotos    struct{ store directory.Photos }
	askedAccounts  struct{ store directory.Accounts }
	askedSessions  struct{ store directory.Sessions }
)

// ask makes one call of a store, within what is left of the request's time for
// stores.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, answered := within(ctx)
	defer answered()
	return call(ctx)
}

// tell is ask for a call that answers nothing.
func tell(ctx context.Context, call func(context.Context) error) error {
	ctx, answered := within(ctx)
	defer answered()
	return call(ctx)
}

func (s askedEmployees) Get(ctx context.Context, id string) (directory.Employee, error) {
	return ask(ctx, func(ctx context.Context) (directory.Employee, error) { return s.store.Get(ctx, id) })
}

func (s askedEmployees) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	return ask(ctx, func(ctx context.Context) (directory.Page, error) { return s.store.Page(ctx, q) })
}

func (s askedEmployees) Total(ctx context.Context, q directory.Query) (int, error) {
	return ask(ctx, func(ctx context.Context) (int, error) { return s.store.Total(ctx, q) })
}

func (s askedEmployees) Locations(ctx context.Context, q directory.LocationQuery) (directory.LocationPage, error) {
	return ask(ctx, func(ctx context.Context) (directory.LocationPage, error) { return s.store.Locations(ctx, q) })
}

func (s askedEmployees) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	return ask(ctx, func(ctx context.Context) (directory.Employee, error) { return s.store.Create(ctx, e) })
}

func (s askedEmployees) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	return ask(ctx, func(ctx context.Context) (directory.Employee, error) { return s.store.Update(ctx, e) })
}

func (s askedEmployees) Delete(ctx context.Context, id string, version int64) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, id, version) })
}

func (s askedEmployees) Ping(ctx context.Context) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Ping(ctx) })
}

func (s askedPhotos) Put(ctx context.Context, key string, content []byte) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Put(ctx, key, content) })
}

func (s askedPhotos) Get(ctx context.Context, key string) ([]byte, error) {
	return ask(ctx, func(ctx context.Context) ([]byte, error) { return s.store.Get(ctx, key) })
}

func (s askedPhotos) URL(ctx context.Context, photo directory.Photo) (string, error) {
	return ask(ctx, func(ctx context.Context) (string, error) { return s.store.URL(ctx, photo) })
}

func (s askedPhotos) Walk(ctx context.Context, visit func(directory.StoredPhoto) error) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Walk(ctx, visit) })
}

func (s askedPhotos) Delete(ctx context.Context, key string, before time.Time) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, key, before) })
}

func (s askedPhotos) Ping(ctx context.Context) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.Ping(ctx) })
}

func (s askedAccounts) Account(ctx context.Context, name string) (directory.Account, error) {
	return ask(ctx, func(ctx context.Context) (directory.Account, error) { return s.store.Account(ctx, name) })
}

func (s askedAccounts) Accounts(ctx context.Context) ([]directory.Account, error) {
	return ask(ctx, func(ctx context.Context) ([]directory.Account, error) { return s.store.Accounts(ctx) })
}

func (s askedAccounts) CreateAccount(ctx context.Context, a directory.Account) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.CreateAccount(ctx, a) })
}

func (s askedAccounts) UpdateAccount(ctx context.Context, a directory.Account, since time.Time) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.UpdateAccount(ctx, a, since) })
}

func (s askedAccounts) DeleteAccount(ctx context.Context, name string) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.DeleteAccount(ctx, name) })
}

func (s askedSessions) PutSession(ctx context.Context, key string, data []byte, expiry time.Time) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.PutSession(ctx, key, data, expiry) })
}

func (s askedSessions) Session(ctx context.Context, key string) ([]byte, error) {
	return ask(ctx, func(ctx context.Context) ([]byte, error) { return s.store.Session(ctx, key) })
}

func (s askedSessions) DeleteSession(ctx context.Context, key string) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.DeleteSession(ctx, key) })
}

func (s askedSessions) Count(ctx context.Context, key string, window time.Duration) (int64, error) {
	return ask(ctx, func(ctx context.Context) (int64, error) { return s.store.Count(ctx, key, window) })
}

func (s askedSessions) Counted(ctx context.Context, key string, window time.Duration) (int64, error) {
	return ask(ctx, func(ctx context.Context) (int64, error) { return s.store.Counted(ctx, key, window) })
}

func (s askedSessions) PutErasure(ctx context.Context, e directory.Erasure) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.PutErasure(ctx, e) })
}

func (s askedSessions) Erasures(ctx context.Context, since time.Time) ([]directory.Erasure, error) {
	return ask(ctx, func(ctx context.Context) ([]directory.Erasure, error) { return s.store.Erasures(ctx, since) })
}

func (s askedSessions) PutHeartbeat(ctx context.Context, h directory.Heartbeat) error {
	return tell(ctx, func(ctx context.Context) error { return s.store.PutHeartbeat(ctx, h) })
}

func (s askedSessions) Heartbeats(ctx context.Context) ([]directory.Heartbeat, error) {
	return ask(ctx, func(ctx context.Context) ([]directory.Heartbeat, error) { return s.store.Heartbeats(ctx) })
}
