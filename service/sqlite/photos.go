package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Photos is a directory.Photos in a folder.
type Photos struct {
	root *os.Root
	// putting keeps Delete from removing the folder that Put is about to use.
	putting sync.RWMutex
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
		return fmt.Errorf("%q is not the key of a photo", key)
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	s.putting.RLock() // Delete removes folders
	defer s.putting.RUnlock()
	path := filepath.FromSlash(key)
	if err := s.root.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return unavailable(err)
	}
	written := path + temporary + directory.NewID()
	err := s.write(written, content)
	if err == nil {
		err = s.root.Rename(written, path)
	}
	if err != nil {
		_ = s.root.Remove(written)
	}
	return unavailable(err)
}

// renew makes what is under key count as put now, or returns ErrNotFound.
func (s *Photos) renew(key string) error {
	s.putting.RLock()
	defer s.putting.RUnlock()
	// Erasures count whole milliseconds: one that was asked for may be of the next.
	now := time.Now().Add(2 * time.Millisecond)
	err := s.root.Chtimes(filepath.FromSlash(key), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return directory.ErrNotFound
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

// Walk implements directory.Photos. It removes what killed processes left behind.
func (s *Photos) Walk(ctx context.Context, visit func(directory.StoredPhoto) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return unavailable(err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a folder that was removed meanwhile
		}
		if err != nil || entry.IsDir() {
			return unavailable(err)
		}
		if !directory.ValidPhotoKey(filepath.ToSlash(path)) {
			return s.removeLeftover(path, entry)
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

// Delete implements directory.Photos. The folder of an employee without photos is
// removed too.
func (s *Photos) Delete(ctx context.Context, key string, before time.Time) error {
	if !directory.ValidPhotoKey(key) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	s.putting.Lock()
	defer s.putting.Unlock()
	path := filepath.FromSlash(key)
	info, err := s.root.Stat(path)
	if err == nil && info.ModTime().Before(before) {
		if err = s.root.Remove(path); err == nil {
			_ = s.root.Remove(filepath.Dir(path)) // unless it holds another
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return unavailable(err)
}

// leftoverAfter is how old a file is that no Put is writing any longer.
const leftoverAfter = time.Hour

// temporary is between a photo's name and what tells one Put of it from another.
const temporary = ".tmp-"

// removeLeftover removes a file that a killed process left, if path is one.
func (s *Photos) removeLeftover(path string, entry fs.DirEntry) error {
	if !strings.Contains(entry.Name(), temporary) {
		return nil
	}
	info, err := entry.Info()
	if err == nil && time.Since(info.ModTime()) > leftoverAfter {
		err = s.root.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return unavailable(err)
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
