package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// album is a store of photos in memory that fails
// with down where that is set.
type album struct {
	directory.Photos
	mu   sync.Mutex
	kept map[string][]byte
	down error
	// url is where photos of other regions are, "" for nowhere.
	url string
	// within is how long Put had at most.
	within time.Duration
}

func (a *album) Put(ctx context.Context, key string, content []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok {
		a.within = max(a.within, time.Until(deadline))
	}
	if a.down == nil {
		a.kept[key] = content
	}
	return a.down
}

func (a *album) Get(_ context.Context, key string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil {
		return nil, a.down
	}
	content, ok := a.kept[key]
	if !ok {
		return nil, directory.ErrNotFound
	}
	return content, nil
}

func (a *album) URL(_ context.Context, p directory.Photo) (string, error) {
	if a.url == "" || p.Region == "eu-west-1" {
		return "", directory.ErrNotFound
	}
	return fmt.Sprintf("https://%s.%s/%s", p.Region, a.url, p.Key), nil
}

// newAlbum is a site whose photos are in an album, and whose uploads lie in dir.
func newAlbum(t testing.TB, change func(*web.Options)) (s *site, a *album, dir string) {
	t.Helper()
	a, dir = &album{kept: map[string][]byte{}}, t.TempDir()
	return newSite(t, func(o *web.Options) {
		o.Photos, o.Processor = a, photo.New(photo.Options{Dir: dir})
		if change != nil {
			change(o)
		}
	}), a, dir
}

// wantNothingIn checks that no upload is left in a directory.
func wantNothingIn(t testing.TB, dir string) {
	t.Helper()
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("the uploads' directory has %v, %v", files, err)
	}
}

func TestPhotoIsKeptInTwoSizes(t *testing.T) {
	s, a, dir := newAlbum(t, nil)
	res, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	wantStatus(t, res, http.StatusCreated)
	id := decode(t, body).ID
	res, _ = s.do(http.MethodPut, "/api/employees/"+id+"/photo", "image/png", string(picture(t, 1600, 1200, png.Encode)))
	wantStatus(t, res, http.StatusOK)
	e, err := s.employees.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if e.Photo.Width != 768 || e.Photo.Height != 576 || e.Photo.Region != "eu-west-1" {
		t.Errorf("got %+v", e.Photo)
	}
	for _, key := range []string{e.Photo.Key, e.Photo.Thumbnail} {
		if content := a.kept[key]; key != directory.PhotoKey(id, content, "jpg") {
			t.Errorf("under %q are %d bytes that are not its", key, len(content))
		}
	}
	if len(a.kept) != 2 {
		t.Errorf("%d photos are kept, want 2", len(a.kept))
	}
	if a.within <= 0 || a.within > 2500*time.Millisecond {
		t.Errorf("the stores had %v", a.within)
	}
	wantNothingIn(t, dir)
}

func TestPhotoMayComeAnywhereInTheForm(t *testing.T) {
	s, a, dir := newAlbum(t, nil)
	send := func(photo []byte) (*http.Response, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, err := w.CreateFormFile("photo", "photo.png")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(photo); err != nil {
			t.Fatal(err)
		}
		for name, values := range ada() {
			for _, value := range values {
				if err := w.WriteField(name, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return s.do(http.MethodPost, "/employees", w.FormDataContentType(), b.String())
	}
	for name, content := range map[string][]byte{
		"too large": make([]byte, directory.MaxPhotoBytes+1), "no photo": []byte("GIF"), "damaged": picture(t, 9, 9, png.Encode)[:40],
	} {
		res, body := send(content)
		if res.StatusCode/100 != 4 {
			t.Errorf("%s: got status %d", name, res.StatusCode)
		}
		wantText(t, body, `value="Ada &lt;Lovelace&gt;"`, `value="London"`, `value="linux" checked`)
	}
	if len(a.kept) > 0 {
		t.Errorf("%d refused photos are kept", len(a.kept))
	}
	res, _ := send(picture(t, 9, 9, png.Encode))
	wantStatus(t, res, http.StatusSeeOther)
	wantNothingIn(t, dir)
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	for name, content := range map[string][]byte{
		"of the wrong kind": []byte("GIF"), "too large": make([]byte, directory.MaxPhotoBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := newAlbum(t, nil)
			fields := ada()
			fields.Set("fullName", " ")
			res, body := s.submit("/employees", fields, content)
			if res.StatusCode != http.StatusUnsupportedMediaType && res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("got status %d", res.StatusCode)
			}
			wantText(t, body, "Enter the full name.", "The photo ")
		})
	}
}

func TestNothingIsKeptByHalves(t *testing.T) {
	t.Run("wrong fields", func(t *testing.T) {
		s, a, dir := newAlbum(t, nil)
		fields := ada()
		fields.Set("fullName", " ")
		res, _ := s.submit("/employees", fields, picture(t, 9, 9, png.Encode))
		wantStatus(t, res, http.StatusUnprocessableEntity)
		if len(a.kept) > 0 {
			t.Error("the photo is kept all the same")
		}
		wantNothingIn(t, dir)
	})
	t.Run("no store of photos", func(t *testing.T) {
		s, a, dir := newAlbum(t, nil)
		a.down = errDown
		res, body := s.submit("/employees", ada(), picture(t, 9, 9, png.Encode))
		wantStatus(t, res, http.StatusServiceUnavailable)
		wantText(t, body, `value="London"`)
		if res.Header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
		if got := s.names(); len(got) > 0 {
			t.Errorf("%q was saved", got)
		}
		wantNothingIn(t, dir)
	})
}

func TestUploadsThatCannotBeTaken(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, options := range map[string]photo.Options{
		"no room": {Dir: missing},
		"busy":    {Wait: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			s, a, _ := newAlbum(t, func(o *web.Options) { o.Processor = photo.New(options) })
			content := picture(t, 9, 9, png.Encode)
			status, later := http.StatusServiceUnavailable, "Try again in a few seconds"
			if name == "busy" { // not a failure
				status, later = http.StatusTooManyRequests, "Try again in 5 s"
			}
			res, body := s.submit("/employees", ada(), content)
			wantStatus(t, res, status)
			wantText(t, body, `value="Ada &lt;Lovelace&gt;"`, later)
			_, body = s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
			path := "/api/employees/" + decode(t, body).ID + "/photo"
			api, body := s.do(http.MethodPut, path, "image/png", string(content))
			wantStatus(t, api, status)
			wantText(t, body, later)
			for _, res := range []*http.Response{res, api} {
				if res.Header.Get("Retry-After") == "" {
					t.Error("there is no Retry-After")
				}
			}
			if got := s.names(); len(got) != 1 || len(a.kept) > 0 {
				t.Errorf("%q and %d photos are kept", got, len(a.kept))
			}
		})
	}
}

func TestUploadThatEndsEarly(t *testing.T) {
	s, a, dir := newAlbum(t, nil)
	body := "--x\r\nContent-Disposition: form-data; name=\"fullName\"\r\n\r\nAda\r\n--x\r\n" +
		"Content-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n" + string(picture(t, 9, 9, png.Encode))
	res, page := s.do(http.MethodPost, "/employees", "multipart/form-data; boundary=x", body)
	wantStatus(t, res, http.StatusBadRequest)
	wantText(t, page, `value="Ada"`, "send it again")
	if len(a.kept) > 0 || len(s.names()) > 0 {
		t.Error("something is kept")
	}
	wantNothingIn(t, dir)
}

// keep keeps an employee with a photo of a region, of which the album has the
// display picture and the thumbnail where there is content.
func keep(t *testing.T, s *site, a *album, region string, content []byte) directory.Photo {
	t.Helper()
	e := directory.Employee{ID: directory.NewID(), FullName: "Ada", Location: "London", JobTitle: "Analyst"}
	e.Photo = directory.Photo{
		Key: directory.PhotoKey(e.ID, []byte("display"), "jpg"), Thumbnail: directory.PhotoKey(e.ID, []byte("thumbnail"), "jpg"),
		Width: 8, Height: 6, Region: region,
	}
	if content != nil {
		a.kept[e.Photo.Key], a.kept[e.Photo.Thumbnail] = content, content
	}
	if _, err := s.employees.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e.Photo
}

func path(key string) string { return "/photos/" + strings.TrimPrefix(key, directory.PhotoPrefix) }

func TestPhotoIsServedForEver(t *testing.T) {
	for _, signedIn := range []bool{false, true} {
		s, a, _ := newAlbum(t, func(o *web.Options) { o.SignedInReads = signedIn })
		key := keep(t, s, a, "eu-west-1", []byte("content")).Key
		get := func(method string, header ...string) (*http.Response, string) {
			r := httptest.NewRequestWithContext(t.Context(), method, path(key), nil)
			r.RemoteAddr = "127.0.0.1:1"
			if signedIn {
				r.Header.Set("Cookie", s.session)
			}
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			return w.Result(), w.Body.String()
		}
		res, body := get(http.MethodGet)
		wantStatus(t, res, http.StatusOK)
		cached := "public, max-age=86400, immutable"
		if signedIn {
			cached = "private, max-age=86400, immutable"
		}
		want := map[string]string{
			"Content-Type": "image/jpeg", "Content-Length": "7", "Content-Disposition": "inline", "Cache-Control": cached,
			"X-Content-Type-Options": "nosniff", "Etag": `"` + filepath.Base(key) + `"`,
		}
		got := map[string]string{}
		for name := range want {
			got[name] = res.Header.Get(name)
		}
		if body != "content" || !maps.Equal(got, want) {
			t.Errorf("got %q with %v, want %v", body, got, want)
		}
		res, body = get(http.MethodHead)
		if res.StatusCode != http.StatusOK || body != "" || res.Header.Get("Content-Length") != "7" {
			t.Errorf("HEAD: got %d, %q, %v", res.StatusCode, body, res.Header)
		}
		for _, tags := range []string{want["Etag"], `"other", W/` + want["Etag"]} {
			res, body = get(http.MethodGet, "If-None-Match", tags)
			if res.StatusCode != http.StatusNotModified || body != "" || res.Header.Get("Cache-Control") != cached {
				t.Errorf("If-None-Match %s: got %d with %v", tags, res.StatusCode, res.Header)
			}
		}
		res, _ = get(http.MethodGet, "If-None-Match", `"other"`)
		wantStatus(t, res, http.StatusOK)
	}
}

func TestPhotoNotReplicatedYet(t *testing.T) {
	s, a, _ := newAlbum(t, nil)
	a.url = "example.com"
	p := keep(t, s, a, "us-east-1", nil)
	for _, key := range []string{p.Key, p.Thumbnail} {
		res, _ := s.get(path(key))
		wantStatus(t, res, http.StatusFound)
		if want := "https://us-east-1.example.com/" + key; res.Header.Get("Location") != want || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %v, want %s, not to be kept", res.Header, want)
		}
	}
	a.down = errDown // this region's store: the other one may have it
	res, _ := s.get(path(p.Key))
	wantStatus(t, res, http.StatusFound)
	res, _ = s.do(http.MethodGet, path(p.Key), "", "", "If-None-Match", `"`+filepath.Base(p.Key)+`"`)
	wantStatus(t, res, http.StatusNotModified) // a copy of what the employee has is good
}

func TestPlaceholder(t *testing.T) {
	s, a, _ := newAlbum(t, nil)
	here, there := keep(t, s, a, "eu-west-1", nil), keep(t, s, a, "us-east-1", nil)
	check := func(name, path string, status int) {
		t.Helper()
		res, body := s.get(path)
		if res.StatusCode != status || res.Header.Get("Content-Type") != "image/svg+xml" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got status %d, want %d; %v", name, res.StatusCode, status, res.Header)
		}
		if unavailable := status == http.StatusServiceUnavailable; (res.Header.Get("Retry-After") != "") != unavailable {
			t.Errorf("%s: Retry-After is %q", name, res.Header.Get("Retry-After"))
		}
		wantText(t, body, "<svg ")
		if strings.Contains(body, "secret") {
			t.Errorf("%s mentions the store: %s", name, body)
		}
	}
	check("gone", path(here.Key), http.StatusNotFound)
	check("nowhere else", path(there.Thumbnail), http.StatusNotFound)
	check("nobody's", path(directory.PhotoKey("nobody", nil, "jpg")), http.StatusNotFound)
	check("another one", path(strings.Replace(there.Key, filepath.Base(there.Key), filepath.Base(here.Key), 1)), http.StatusNotFound)
	check("no photo", "/photos/a/b", http.StatusNotFound)
	a.down = errDown
	check("no store", path(here.Key), http.StatusServiceUnavailable)
	check("no store here, and nowhere else", path(there.Key), http.StatusServiceUnavailable)

	s, a, _ = newAlbum(t, func(o *web.Options) { o.Employees = broken{} })
	a.url = "example.com"
	check("no employees", path(there.Key), http.StatusServiceUnavailable)
}

// FuzzForm looks for panics, and for what is kept of a form that is refused.
func FuzzForm(f *testing.F) {
	for _, name := range []string{"fullName", "badges", "version", "photo", "key"} {
		f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n1\r\n--x--\r\n"))
	}
	f.Add("application/x-www-form-urlencoded", []byte("fullName=Ada"))
	s, a, dir := newAlbum(f, func(o *web.Options) { o.WriteRate = 1e6 })
	kept := func(t *testing.T) int {
		n, err := s.store.Total(t.Context(), directory.Query{})
		if err != nil {
			t.Fatal(err)
		}
		return n + len(a.kept)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		before := kept(t)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/employees", bytes.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Cookie", s.session)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable { // a busy machine's store may not answer in time
			t.Errorf("got status %d", w.Code)
		}
		if w.Code != http.StatusSeeOther && w.Code != http.StatusServiceUnavailable && kept(t) != before {
			t.Errorf("status %d, and something is kept", w.Code)
		}
		wantNothingIn(t, dir)
	})
}
