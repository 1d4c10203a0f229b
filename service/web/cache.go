package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"
)

const (
	// cachedFor is how long a page is shown again without asking the stores. A
	// change is seen by others within two seconds: this one, and the moments
	// that an index takes.
	cachedFor = time.Second
	// cachedPages is how many pages are kept at most, some 40 kB each.
	cachedPages = 256
)

// pages keeps pages for a moment, so that many readers cost the stores no more
// than one.
type pages struct {
	kept    *expirable.LRU[pageKey, *page]
	flights singleflight.Group
}

// pageKey is what a page depends on: its address, and who reads it and how.
type pageKey struct {
	address, account string
	readOnly         bool
}

// page is a rendered one, as it is and compressed.
type page struct {
	plain  variant
	zip    sync.Once
	zipped variant
}

// variant is a page in one encoding, with the values of its headers as net/http
// keeps them.
type variant struct {
	body   []byte
	etag   []string
	length []string
}

func newVariant(body []byte, tag string) variant {
	return variant{body, []string{`"` + tag + `"`}, []string{strconv.Itoa(len(body))}}
}

func newPages() *pages {
	return &pages{kept: expirable.NewLRU[pageKey, *page](cachedPages, nil, cachedFor)}
}

// forget drops every page: an employee changed.
func (p *pages) forget() { p.kept.Purge() }

// get returns the page under key, rendered at most once at a time.
func (p *pages) get(ctx context.Context, key pageKey, render func(context.Context) ([]byte, error)) (*page, error) {
	if kept, ok := p.kept.Get(key); ok {
		return kept, nil
	}
	flight := p.flights.DoChan(fmt.Sprintf("%t %s %s", key.readOnly, key.account, key.address), func() (made any, err error) {
		// Beyond the request's own goroutine a panic would end the process.
		defer func() {
			if p := recover(); p != nil {
				err = panicError(p)
			}
		}()
		// It goes on when the first of those who wait for it has gone.
		ctx, cancel := forEverybody(ctx)
		defer cancel()
		body, err := render(ctx)
		if err != nil {
			return nil, err
		}
		page := newPage(body)
		p.kept.Add(key, page)
		return page, nil
	})
	waiting, answered := within(ctx)
	defer answered()
	select {
	case <-waiting.Done():
		return nil, waiting.Err()
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*page), nil
	}
}

func newPage(body []byte) *page {
	sum := sha256.Sum256(body)
	return &page{plain: newVariant(body, base64.RawURLEncoding.EncodeToString(sum[:12]))}
}

// compressed is the page compressed, which is done once.
func (p *page) compressed() *variant {
	p.zip.Do(func() { p.zipped = newVariant(zip(p.plain.body), strings.Trim(p.plain.etag[0], `"`)+"-gzip") })
	return &p.zipped
}

// cached answers with the page at an address, which render makes. One who just
// changed something, or is told that they did, gets a page of their own.
func (s *Server) cached(w http.ResponseWriter, r *http.Request, address string, render func(context.Context) ([]byte, error)) error {
	if len(recent(r)) > 0 || hasFlash(r.Context()) {
		body, err := render(r.Context())
		if err != nil {
			return err
		}
		return newPage(body).serve(w, r)
	}
	page, err := s.pages.get(r.Context(), pageKey{address, accountOf(r.Context()), isReadOnly(r.Context())}, render)
	if err != nil {
		return err
	}
	return page.serve(w, r)
}

var (
	htmlType     = []string{"text/html; charset=utf-8"}
	askEachTime  = []string{"private, no-cache"}
	variesCookie = []string{"Cookie, Accept-Encoding"}
)

// serve writes the page, or that the client has it.
func (p *page) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	sent := &p.plain
	if len(sent.body) >= zippedFrom && takesGzip(r) {
		sent = p.compressed()
		h["Content-Encoding"] = gzipEncoding
	}
	h["Cache-Control"], h["Vary"], h["Etag"] = askEachTime, variesCookie, sent.etag
	if tags := r.Header["If-None-Match"]; len(tags) > 0 && hasTag(strings.Join(tags, ","), sent.etag[0]) {
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"], h["Content-Length"] = htmlType, sent.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(sent.body)
	return err
}
