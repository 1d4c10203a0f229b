package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/dynamo"
	"github.com/archipelago-cdk/archipelago/service/s3"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// stores are what the settings chose.
type stores struct {
	employees directory.Employees
	accounts  directory.Accounts
	sessions  directory.Sessions
	photos    directory.Photos
	// repair finishes what processes that died and regions that were cut off
	// left behind; nil where there is nothing such.
	repair func(ctx context.Context, now time.Time) error
	close  func() error
}

// openStores opens the stores that the settings name. log takes what they do late;
// options are of AWS's clients, which without any are as patient as AWS's own
// programs.
func openStores(ctx context.Context, s *stored, log *slog.Logger, options ...func(*config.LoadOptions) error) (*stores, error) {
	if !s.onAWS() {
		return openEmbedded(ctx, s)
	}
	aws, err := awsConfig(ctx, s.region, options...)
	if err != nil {
		return nil, err
	}
	tables := dynamodb.NewFromConfig(aws)
	employees := dynamo.NewEmployees(tables, s.employeesTable)
	employees.Log = log
	return &stores{
		employees: employees,
		accounts:  dynamo.NewAccounts(tables, s.employeesTable),
		sessions:  dynamo.NewSessions(tables, s.sessionsTable),
		photos:    s3.NewPhotos(aws, s.photosBucket),
		repair:    employees.Repair,
		close:     func() error { return nil },
	}, nil
}

func openEmbedded(ctx context.Context, s *stored) (*stores, error) {
	store, err := sqlite.Open(ctx, s.dataDir)
	if err != nil {
		return nil, err
	}
	photos, err := sqlite.OpenPhotos(s.dataDir)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &stores{
		employees: store,
		accounts:  store,
		sessions:  store,
		photos:    photos,
		close:     func() error { return errors.Join(store.Close(), photos.Close()) },
	}, nil
}
