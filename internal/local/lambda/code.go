package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// fetchOnce fetches the code unless an environment has done so.
func (f *Function) fetchOnce(ctx context.Context) error {
	f.fetching.Lock()
	defer f.fetching.Unlock()
	if f.fetched {
		return nil
	}
	err := f.fetch(ctx)
	f.fetched = err == nil
	return err
}

// fetch unpacks the function's code, as it was deployed, into its folder.
func (f *Function) fetch(ctx context.Context) error {
	client := s3.New(s3.Options{
		Region: f.Region, BaseEndpoint: &f.url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, ""),
	})
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.Bucket, Key: &f.Key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	archive, err := io.ReadAll(out.Body)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(f.root); err != nil {
		return err
	}
	return unpack(archive, f.root)
}

// errRefused is of a package that cannot run, however often it is tried.
var errRefused = errors.New("the deployment package is refused")

// unpack unpacks an archive that Lambda could run: as a user who does not own
// the files.
func unpack(archive []byte, dir string) error {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	var wrong []error
	for _, file := range r.File {
		check := nobody.CheckRead
		if file.FileInfo().IsDir() || file.Name == bootstrap {
			check = nobody.CheckExecute
		}
		wrong = append(wrong, check(file.Name, file.Mode()))
		if !filepath.IsLocal(file.Name) {
			wrong = append(wrong, fmt.Errorf("%q leaves the function's folder", file.Name))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	for _, file := range r.File {
		if file.FileInfo().IsDir() {
			continue
		}
		if err := unpackFile(file, filepath.Join(dir, file.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(file *zip.File, path string) error {
	if err := nobody.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	content, err := file.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Chmod(file.Mode().Perm()), out.Close())
}
