package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Photos is a directory.Photos in a folder.
type Photos struct {
	root *os.Root
}

// OpenPhotos opens the folder of photos in dir, and makes both where there are
// none.
func OpenPhotos(dir string) (*Photos, error) {
	dir = filepath.Join(dir, "photos")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the photo directory cannot be made: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Photos{root: root}, nil
}

// Close closes the folder.
func (s *Photos) Close() error { return s.root.Close() }

// Put implements directory.Photos. A photo that did not fit on the disk leaves
// nothing behind.
func (s *Photos) Put(ctx context.Context, key string, content []byte) error {
	if !directory.ValidPhotoKey(key) {
		return fmt.Errorf("%q is no photo's key", key)
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	path := filepath.FromSlash(key)
	if err := s.root.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return unavailable(err)
	}
	temporary := path + ".tmp-" + directory.NewID()
	err := s.write(temporary, content)
	if err == nil {
		err = s.root.Rename(temporary, path)
	}
	if err != nil {
		_ = s.root.Remove(temporary)
	}
	return unavailable(err)
}

func (s *Photos) write(path string, content []byte) error {
	f, err := s.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Get implements directory.Photos.
func (s *Photos) Get(ctx context.Context, key string) ([]byte, error) {
	if !directory.ValidPhotoKey(key) {
		return nil, directory.ErrNotFound
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	content, err := s.root.ReadFile(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, directory.ErrNotFound
	}
	return content, unavailable(err)
}

// Walk implements directory.Photos.
func (s *Photos) Walk(ctx context.Context, visit func(directory.StoredPhoto) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return unavailable(err)
		}
		if err != nil || entry.IsDir() || !directory.ValidPhotoKey(filepath.ToSlash(path)) {
			return unavailable(err)
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return unavailable(err)
		}
		return visit(directory.StoredPhoto{Key: filepath.ToSlash(path), Put: info.ModTime().UTC()})
	})
}

// Delete implements directory.Photos.
func (s *Photos) Delete(ctx context.Context, key string) error {
	if !directory.ValidPhotoKey(key) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if err := s.root.Remove(filepath.FromSlash(key)); !errors.Is(err, fs.ErrNotExist) {
		return unavailable(err)
	}
	return nil
}

// URL implements directory.Photos: there is no other place.
func (s *Photos) URL(context.Context, directory.Photo) (string, error) {
	return "", directory.ErrNotFound
}

// Ping implements directory.Photos.
func (s *Photos) Ping(context.Context) error {
	_, err := s.root.Stat(".")
	return unavailable(err)
}
