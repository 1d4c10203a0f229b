package photo

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// Upload is a file on the disk that nobody else sees, and that is gone once it
// is closed or the process ends.
type Upload struct {
	file *os.File
	size int64
}

// Spool keeps what r has, which is read to its end whatever happens: a browser
// shows an answer only once it has sent all. It returns ErrTooManyBytes,
// ErrNoRoom, or an error of r.
func (p *Processor) Spool(r io.Reader) (*Upload, error) {
	from := &reader{Reader: r}
	u, err := p.spool(from)
	if err != nil {
		_, _ = io.Copy(io.Discard, from) // from keeps the error
	}
	if from.err != nil {
		err = from.err
	}
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// spool returns what it opened with an error too.
func (p *Processor) spool(r io.Reader) (*Upload, error) {
	file, err := os.CreateTemp(p.Dir, "photo-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	u := &Upload{file: file}
	if err := os.Remove(file.Name()); err != nil {
		return u, fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return u, u.fill(r)
}

func (u *Upload) fill(r io.Reader) error {
	size, err := io.Copy(u.file, io.LimitReader(r, directory.MaxPhotoBytes+1))
	switch u.size = size; {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	case size > directory.MaxPhotoBytes:
		return ErrTooManyBytes
	}
	return nil
}

// reader remembers how reading failed.
type reader struct {
	io.Reader
	err error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Size is how many bytes the upload has.
func (u *Upload) Size() int64 { return u.size }

// Check returns what is wrong with an upload as far as its header tells, or nil.
func (u *Upload) Check() error {
	_, err := inspect(u.file, u.size)
	return err
}

// Close lets go of the file. There may be none: a nil Upload closes too.
func (u *Upload) Close() error {
	if u == nil {
		return nil
	}
	return u.file.Close()
}
