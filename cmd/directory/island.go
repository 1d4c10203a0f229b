package main

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/archipelago-cdk/archipelago/service/web"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// metadataWithin bounds one question to the instance metadata service.
const metadataWithin = 5 * time.Second

// island is where the service runs, as far as it is known yet.
type island struct {
	current atomic.Pointer[web.Island]
}

func (i *island) get() web.Island { return *i.current.Load() }

// newIsland returns what the settings tell and, on AWS, asks the instance
// metadata service for the rest meanwhile: serving does not wait for it.
func newIsland(ctx context.Context, s *settings, log *slog.Logger) *island {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	i := &island{}
	i.current.Store(&web.Island{Region: s.region, Instance: host, Version: version})
	if s.onAWS() {
		go i.ask(ctx, imds.New(imds.Options{}), log)
	}
	return i
}

// ask repeats the question until it is answered.
func (i *island) ask(ctx context.Context, client *imds.Client, log *slog.Logger) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		asking, cancel := context.WithTimeout(ctx, metadataWithin)
		out, err := client.GetInstanceIdentityDocument(asking, nil)
		cancel()
		if err == nil {
			i.current.Store(&web.Island{
				Region: out.Region, Zone: out.AvailabilityZone, Instance: out.InstanceID,
				Type: out.InstanceType, Version: version,
			})
			return
		}
		log.Warn("the instance metadata service does not answer", "error", err.Error())
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
