package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// CallsEnd makes calls, by their names, of a store whose server does not answer
// as it should, with little time: each has to end, in time or when that is over,
// with directory.ErrUnavailable. One that goes on holds the test up.
func CallsEnd(t *testing.T, calls map[string]func(context.Context) error) {
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := call(ctx); !errors.Is(err, directory.ErrUnavailable) {
				t.Errorf("got error %v, want %v", err, directory.ErrUnavailable)
			}
		})
	}
}
