package main

import (
	"context"
	"errors"
	"fmt"

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
	photos    directory.Photos
	close     func() error
}

func openStores(ctx context.Context, s *settings) (*stores, error) {
	if !s.onAWS() {
		return openEmbedded(ctx, s)
	}
	aws, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.region))
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	return &stores{
		employees: dynamo.NewEmployees(dynamodb.NewFromConfig(aws), s.employeesTable),
		photos:    s3.NewPhotos(aws, s.photosBucket),
		close:     func() error { return nil },
	}, nil
}

func openEmbedded(ctx context.Context, s *settings) (*stores, error) {
	employees, err := sqlite.OpenEmployees(ctx, s.dataDir)
	if err != nil {
		return nil, err
	}
	photos, err := sqlite.OpenPhotos(s.dataDir)
	if err != nil {
		return nil, errors.Join(err, employees.Close())
	}
	return &stores{
		employees: employees,
		photos:    photos,
		close:     func() error { return errors.Join(employees.Close(), photos.Close()) },
	}, nil
}
