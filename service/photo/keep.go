package photo

import (
	"context"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Keep puts the pictures of an employee's photo into a store and returns where
// they are. region is that of the store, "" beyond AWS.
func Keep(ctx context.Context, store directory.Photos, employeeID, region string, pictures *Pictures) (directory.Photo, error) {
	kept := directory.Photo{
		Key:       directory.PhotoKey(employeeID, pictures.Display, "jpg"),
		Thumbnail: directory.PhotoKey(employeeID, pictures.Thumbnail, "jpg"),
		Width:     pictures.Width,
		Height:    pictures.Height,
		Region:    region,
	}
	if err := store.Put(ctx, kept.Key, pictures.Display); err != nil {
		return directory.Photo{}, err
	}
	if err := store.Put(ctx, kept.Thumbnail, pictures.Thumbnail); err != nil {
		return directory.Photo{}, err
	}
	return kept, nil
}
