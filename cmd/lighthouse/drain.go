package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

const (
	// drainFor is how long the operator's switch is remembered.
	drainFor = 10 * time.Second
	// drainWithin is how long Systems Manager is waited for: less than a look may take, so
	// that what was read before counts.
	drainWithin = 2 * time.Second
)

// drainSwitch is what darkens an island on purpose.
type drainSwitch struct {
	client interface {
		GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	}
	parameter string
	always    bool // whatever the parameter says
	now       func() time.Time

	mu   sync.Mutex
	last bool
	read time.Time // of last
}

// drained reports whether the island is to be dark. A parameter that does not
// exist drains nothing. When the parameter cannot be read, the last answer
// stands as long as the function's environment lives.
func (d *drainSwitch) drained(ctx context.Context) (bool, error) {
	if d.always {
		return true, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if !d.read.IsZero() && now.Sub(d.read) < drainFor {
		return d.last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	out, err := d.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &d.parameter})
	var missing *types.ParameterNotFound
	switch {
	case errors.As(err, &missing):
		d.last = false
	case err != nil && d.read.IsZero():
		return false, err
	case err != nil:
		return d.last, nil
	default:
		d.last = aws.ToString(out.Parameter.Value) == "true"
	}
	d.read = now
	return d.last, nil
}
