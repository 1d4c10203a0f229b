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
		Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
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

func unpack(archive []byte, dir string) error {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	for _, file := range r.File {
		if file.FileInfo().IsDir() {
			continue
		}
		if !filepath.IsLocal(file.Name) {
			return fmt.Errorf("%q leaves the function's folder", file.Name)
		}
		if err := unpackFile(file, filepath.Join(dir, file.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(file *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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
	return errors.Join(err, out.Close())
}
