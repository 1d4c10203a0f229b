package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
	"github.com/archipelago-cdk/archipelago/service/web"
	"golang.org/x/crypto/argon2"
)

// site is a service on the embedded store, and somebody who is signed in.
type site struct {
	*httptest.Server
	t         testing.TB
	employees directory.Employees
	store     *sqlite.Store
	handler   *web.Server
	// session is the header Cookie of who sends the requests, "" for nobody.
	session string
}

// The account that each site has.
const (
	accountName = "tester"
	password    = "correct horse battery"
)

// passwordHash costs less than those that the service makes.
var passwordHash = func() string {
	salt := []byte("a salt for tests")
	key := argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return "$argon2id$v=19$m=8,t=1,p=1$" + encode(salt) + "$" + encode(key)
}()

// newSite returns a site with the options that change makes of the usual ones,
// and signs in. The store of sessions has to answer for that.
func newSite(t testing.TB, change func(*web.Options)) *site {
	t.Helper()
	dir := t.TempDir()
	employees, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	photos, err := sqlite.OpenPhotos(dir)
	if err != nil {
		t.Fatal(err)
	}
	account := directory.Account{Name: accountName, PasswordHash: passwordHash, Changed: time.Now()}
	if err := employees.CreateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	o := web.Options{
		Employees: employees, Accounts: employees, Sessions: employees, Photos: photos,
		Island: func() web.Island { return web.Island{Region: "eu-west-1", Instance: "i-1", Version: "test"} },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&o)
	}
	handler := web.New(o)
	s := &site{Server: httptest.NewServer(handler), t: t, employees: o.Employees, store: employees, handler: handler}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		s.Close()
		photos.Close()
		employees.Close()
	})
	elsewhere := o // another instance, so that nothing of it is in the log
	elsewhere.Log = slog.New(slog.DiscardHandler)
	s.session = signIn(t, web.New(elsewhere))
	return s
}

// signIn signs in with a handler and returns the session as a header Cookie has
// it.
func signIn(t testing.TB, handler http.Handler) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/session",
		strings.NewReader(`{"name": "`+accountName+`", "password": "`+password+`"}`))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("sign-in: %d %s", w.Code, w.Body)
	}
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie
}

// as is the site for another test and with another session, "" for nobody's.
func (s *site) as(t *testing.T, session string) *site {
	other := *s
	other.t, other.session = t, session
	return &other
}

// do sends a request and returns the answer with its body.
func (s *site) do(method, path, contentType, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if s.session != "" {
		req.Header.Set("Cookie", s.session)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(b)
}

func (s *site) get(path string) (*http.Response, string) {
	s.t.Helper()
	return s.do(http.MethodGet, path, "", "")
}

// submit sends the form of an employee.
func (s *site) submit(path string, fields url.Values, photo []byte) (*http.Response, string) {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, values := range fields {
		for _, v := range values {
			if err := w.WriteField(name, v); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	part, err := w.CreateFormFile("photo", "photo")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := part.Write(photo); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.do(http.MethodPost, path, w.FormDataContentType(), b.String())
}

func (s *site) names() []string {
	s.t.Helper()
	page, err := s.employees.Page(s.t.Context(), directory.Query{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range page.Employees {
		names = append(names, e.FullName)
	}
	return names
}

func wantStatus(t testing.TB, res *http.Response, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("got status %d, want %d", res.StatusCode, want)
	}
}

func wantText(t testing.TB, body string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(body, want) {
			t.Errorf("the answer lacks %q:\n%s", want, body)
		}
	}
}

func ada() url.Values {
	return url.Values{"fullName": {"Ada <Lovelace>"}, "location": {"London"}, "jobTitle": {"Analyst"}, "badges": {"linux", "bug"}}
}

// picture returns an image of the given size.
func picture(t *testing.T, width, height int, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(w io.Writer, img image.Image) error { return jpeg.Encode(w, img, nil) }

func TestFormAddsAnEmployeeWithAPhoto(t *testing.T) {
	s := newSite(t, nil)
	photo := picture(t, 1000, 750, encodeJPEG)
	res, _ := s.submit("/employees", ada(), photo)
	wantStatus(t, res, http.StatusSeeOther)
	_, body := s.get(res.Header.Get("Location"))
	wantText(t, body, "Ada &lt;Lovelace&gt;", "London", "Analyst", "Linux user", "Bug hunter")
	_, list := s.get("/")
	wantText(t, list, "Ada &lt;Lovelace&gt;", `src="/photos/`)
	for page, want := range map[string]image.Point{body: image.Pt(768, 576), list: image.Pt(192, 144)} {
		res, got := s.get(photoIn(page))
		if config, err := jpeg.DecodeConfig(strings.NewReader(got)); err != nil || image.Pt(config.Width, config.Height) != want {
			t.Errorf("got a photo of %d×%d, %v, want %v; headers %v", config.Width, config.Height, err, want, res.Header)
		}
	}
}

// photoIn is the address of the first photo in a page.
func photoIn(page string) string {
	_, after, _ := strings.Cut(page, `src="/photos/`)
	address, _, _ := strings.Cut(after, `"`)
	return "/photos/" + address
}

func TestFormEditsAndDeletes(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), picture(t, 4, 4, png.Encode))
	path := res.Header.Get("Location")
	_, before := s.get(path)
	_, form := s.get(path + "/edit")
	wantText(t, form, `value="Ada &lt;Lovelace&gt;"`, `name="version" value="1"`, `value="linux" checked`)

	fields := ada()
	fields.Set("fullName", "Ada King")
	fields.Set("version", "1")
	res, _ = s.submit(path, fields, nil)
	wantStatus(t, res, http.StatusSeeOther)
	_, after := s.get(path)
	wantText(t, after, "Ada King")
	_, photo, _ := strings.Cut(before, `src="/photos/`)
	photo, _, _ = strings.Cut(photo, `"`)
	wantText(t, after, photo) // an edit without a photo keeps the one there is

	_, question := s.get(path + "/delete")
	wantText(t, question, "Delete <bdi>Ada King</bdi>?")
	if got := s.names(); len(got) != 1 {
		t.Errorf("the question alone left %q", got)
	}
	res, _ = s.do(http.MethodPost, path+"/delete", "application/x-www-form-urlencoded", "version=2")
	wantStatus(t, res, http.StatusSeeOther)
	res, _ = s.get(path)
	wantStatus(t, res, http.StatusNotFound)
}

func TestRefusedFormKeepsWhatWasTyped(t *testing.T) {
	large := append(picture(t, 4, 4, encodeJPEG), make([]byte, directory.MaxPhotoBytes)...)
	tests := map[string]struct {
		fields url.Values
		photo  []byte
		status int
		want   []string
	}{
		"empty fields": {
			url.Values{"fullName": {"  "}, "location": {"London"}, "badges": {"camera"}}, nil, http.StatusUnprocessableEntity,
			[]string{"Enter the full name.", "Enter the job title.", `value="London"`, `value="camera" checked`},
		},
		"a long name": {
			url.Values{"fullName": {strings.Repeat("x", 201)}, "location": {"London"}, "jobTitle": {"Analyst"}}, nil, http.StatusUnprocessableEntity,
			[]string{"Use at most 200 characters, not 201.", `value="Analyst"`},
		},
		"an unknown badge": {
			url.Values{"fullName": {"Ada"}, "location": {"London"}, "jobTitle": {"Analyst"}, "badges": {"pilot"}}, nil, http.StatusUnprocessableEntity,
			[]string{"There is no badge &#34;pilot&#34;.", `value="Ada"`},
		},
		"fields without end": {
			url.Values{"fullName": {"Ada"}, "location": {"London"}, "more": make([]string, 101)}, nil, http.StatusBadRequest,
			[]string{"What was sent could not be read"},
		},
		"not an image": {
			ada(), []byte("%PDF-1.7"), http.StatusUnsupportedMediaType,
			[]string{"The photo is a PDF document, which cannot be shown. Save it as a JPEG, PNG, WebP or GIF image", `value="Ada &lt;Lovelace&gt;"`, `value="linux" checked`},
		},
		"a damaged image": {
			ada(), picture(t, 100, 100, encodeJPEG)[:300], http.StatusUnsupportedMediaType, []string{`value="Ada &lt;Lovelace&gt;"`},
		},
		"too many bytes": {
			ada(), large, http.StatusRequestEntityTooLarge, []string{"The photo is too large", `value="Ada &lt;Lovelace&gt;"`},
		},
		"too many pixels": {
			ada(), picture(t, 4001, 4000, png.Encode), http.StatusRequestEntityTooLarge, []string{"16 megapixels at most", `value="London"`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			res, body := s.submit("/employees", test.fields, test.photo)
			wantStatus(t, res, test.status)
			wantText(t, body, test.want...)
			if got := s.names(); len(got) > 0 {
				t.Errorf("%q was saved", got)
			}
		})
	}
}

// TestProblemsAreInTheOrderOfTheForm: what is wrong is listed as one comes to it.
func TestProblemsAreInTheOrderOfTheForm(t *testing.T) {
	_, body := newSite(t, nil).submit("/employees", url.Values{"badges": {"pilot"}}, nil)
	fields, problems := []int{}, []int{}
	for _, field := range []string{"fullName", "jobTitle", "location", "badges"} {
		fields = append(fields, strings.Index(body, `id="`+field+`"`))
		problems = append(problems, strings.Index(body, `href="#`+field+`"`))
	}
	if !slices.IsSorted(fields) || !slices.IsSorted(problems) || problems[0] < 0 {
		t.Errorf("the fields are at %v, and their problems at %v", fields, problems)
	}
}

func TestStaleFormIsRefusedAndKept(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	fields := ada()
	fields.Set("version", "1")
	fields.Set("location", "Paris")
	s.submit(path, fields, nil)
	fields.Set("location", "Rome")
	res, body := s.submit(path, fields, nil)
	wantStatus(t, res, http.StatusConflict)
	wantText(t, body, "Someone else changed this employee meanwhile.", `value="Rome"`)
	_, detail := s.get(path)
	wantText(t, detail, "Paris")
}

// record is an employee as the API answers.
type record struct {
	ID           string `json:"id"`
	FullName     string `json:"fullName"`
	PhotoURL     string `json:"photoUrl"`
	ThumbnailURL string `json:"thumbnailUrl"`
	Version      int    `json:"version"`
	Next         string `json:"next"`
}

func decode(t testing.TB, body string) record {
	t.Helper()
	var r record
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return r
}

const adaJSON = `{"fullName": "Ada", "location": "London", "jobTitle": "Analyst", "badges": ["linux"]}`

func TestAPI(t *testing.T) {
	s := newSite(t, nil)
	res, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	wantStatus(t, res, http.StatusCreated)
	e := decode(t, body)
	path := res.Header.Get("Location")
	if path != "/api/employees/"+e.ID || e.Version != 1 {
		t.Errorf("got %+v at %q", e, path)
	}
	res, body = s.do(http.MethodPut, path+"/photo", "image/png", string(picture(t, 300, 200, png.Encode)))
	wantStatus(t, res, http.StatusOK)
	if e = decode(t, body); e.Version != 2 {
		t.Errorf("after the photo: %+v", e)
	}
	for address, width := range map[string]int{e.PhotoURL: 300, e.ThumbnailURL: 192} {
		_, photo := s.get(address)
		if got, _, err := image.DecodeConfig(strings.NewReader(photo)); err != nil || got.Width != width {
			t.Errorf("%q is %d pixels wide, %v; want %d", address, got.Width, err, width)
		}
	}
	update := strings.Replace(adaJSON, `{"fullName": "Ada"`, `{"version": 2, "fullName": "Ada King"`, 1)
	res, body = s.do(http.MethodPut, path, "application/json", update)
	wantStatus(t, res, http.StatusOK)
	if updated := decode(t, body); updated.FullName != "Ada King" || updated.PhotoURL != e.PhotoURL {
		t.Errorf("after the update: %+v", updated)
	}
	res, _ = s.do(http.MethodPut, path, "application/json", update)
	wantStatus(t, res, http.StatusConflict)
	res, body = s.get("/api/employees?limit=1")
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, `"employees":[{"id":"`+e.ID)
	res, _ = s.do(http.MethodDelete, path, "", "")
	wantStatus(t, res, http.StatusNoContent)
	res, _ = s.do(http.MethodDelete, path, "", "")
	wantStatus(t, res, http.StatusNotFound)
}

func TestAPIRefusals(t *testing.T) {
	s := newSite(t, nil)
	_, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	e := "/api/employees/" + decode(t, body).ID
	tests := map[string]struct {
		method, path, contentType, body string
		status                          int
		want                            string
	}{
		"malformed JSON":               {"POST", "/api/employees", "application/json", "{\n  \"fullName\": \"Ada\",\n  \"location\" 7}", 400, "line 3, column 14"},
		"no UTF-8":                     {"POST", "/api/employees", "application/json", strings.Replace(adaJSON, "London", "Lon\xffdon", 1), 400, "is not UTF-8"},
		"no JSON":                      {"POST", "/api/employees", "application/json", "", 400, "request body is required"},
		"a wrong type":                 {"POST", "/api/employees", "application/json", strings.Replace(adaJSON, `"London"`, "7", 1), 422, "body.location"},
		"too much JSON":                {"POST", "/api/employees", "application/json", adaJSON + strings.Repeat(" ", 16<<10), 413, "too large"},
		"an empty field":               {"POST", "/api/employees", "application/json", strings.Replace(adaJSON, "London", "", 1), 422, "body.location"},
		"a blank field":                {"POST", "/api/employees", "application/json", strings.Replace(adaJSON, "London", " ", 1), 422, "Enter the location."},
		"an unknown field":             {"POST", "/api/employees", "application/json", `{"salary": 1, ` + adaJSON[1:], 422, "salary"},
		"an unknown badge":             {"POST", "/api/employees", "application/json", strings.Replace(adaJSON, "linux", "pilot", 1), 422, "There are apple, windows, linux, "},
		"an unknown employee":          {"GET", "/api/employees/nobody", "", "", 404, "no such employee"},
		"update of nobody":             {"PUT", "/api/employees/nobody", "application/json", `{"version": 1, ` + adaJSON[1:], 404, "no such employee"},
		"no version":                   {"PUT", e, "application/json", adaJSON, 428, "If-Match or version"},
		"photo of nobody":              {"PUT", "/api/employees/nobody/photo", "image/png", "x", 404, "no such employee"},
		"not a photo":                  {"PUT", e + "/photo", "image/png", "GIF", 415, "JPEG, PNG, WebP or GIF"},
		"a photo of another kind":      {"PUT", e + "/photo", "image/heic", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", 415, "The photo is a HEIC image"},
		"a photo with too long a side": {"PUT", e + "/photo", "image/png", string(picture(t, 65_536, 1, png.Encode)), 413, "65,535 pixels at most"},
		"a photo too large":            {"PUT", e + "/photo", "image/png", strings.Repeat("x", directory.MaxPhotoBytes+1), 413, "20 MB at most"},
		"no photo":                     {"PUT", e + "/photo", "image/png", "", 400, "required"},
		"an invalid cursor":            {"GET", "/api/employees?after=%25", "", "", 400, "no such page"},
		"a page too large":             {"GET", "/api/employees?limit=1000", "", "", 422, "limit"},
		"a wrong method":               {"PATCH", "/api/employees", "application/json", "{}", 405, "GET, POST."},
		"another wrong one":            {"POST", e, "application/json", "{}", 405, "GET, PUT, PATCH, DELETE."},
		"no such address":              {"GET", "/api/nothing", "", "", 404, "no page"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := s.as(t, s.session)
			res, body := s.do(test.method, test.path, test.contentType, test.body)
			wantStatus(t, res, test.status)
			wantText(t, body, test.want)
			if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("got content type %q", got)
			}
			if got := s.names(); len(got) != 1 || got[0] != "Ada" {
				t.Errorf("the employees are %q now", got)
			}
		})
	}
}

// FuzzAPI sends any body and any precondition to the operations that take JSON: what
// they refuse is the sender's fault, and what they take can be read again.
func FuzzAPI(f *testing.F) {
	s := newSite(f, func(o *web.Options) { o.WriteRate = 1e6 })
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	path := res.Header.Get("Location")
	for i, body := range []string{adaJSON, `{"fullName": null}`, `{"badges": ["bug", 1], "version": 1e99}`, "{\n\xff", `{"fullName": "\ud800"}`, "[[", ""} {
		f.Add(uint8(i), `"1", W/"2", *`, []byte(body))
	}
	f.Fuzz(func(t *testing.T, operation uint8, precondition string, body []byte) {
		method, address := http.MethodPost, "/api/employees"
		if operation %= 3; operation > 0 {
			method, address = []string{http.MethodPut, http.MethodPatch}[operation-1], path
		}
		r := httptest.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header["Content-Type"], r.Header["Cookie"] = []string{"application/json"}, []string{s.session}
		r.Header["If-Match"] = []string{precondition}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code == http.StatusServiceUnavailable {
			return // a busy machine's store may not answer in time
		}
		if w.Code >= http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s %q %q: status %d: %s", method, address, precondition, body, w.Code, w.Body)
		}
		if w.Code >= http.StatusMultipleChoices {
			return
		}
		var e directory.Employee
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Normalized().Validate() != nil {
			t.Errorf("%s %q made %s", method, body, w.Body)
		}
	})
}

func TestPagesThatAreNotThere(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/nothing", "/employees/nobody", "/employees/nobody/edit", "/employees/nobody/delete", "/photos/a/b", "/static/nothing.css"} {
		res, _ := s.get(path)
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got status %d, want 404", path, res.StatusCode)
		}
	}
	res, _ := s.get("/employees")
	wantStatus(t, res, http.StatusMovedPermanently)
	res, _ = s.do(http.MethodDelete, "/employees/nobody", "", "")
	wantStatus(t, res, http.StatusMethodNotAllowed)
	res, _ = s.do(http.MethodPost, "/employees", "text/plain", "hello")
	wantStatus(t, res, http.StatusBadRequest)
}

func TestEveryPageOfTheListIsReached(t *testing.T) {
	s := newSite(t, nil)
	for range 120 {
		e := directory.Employee{ID: directory.NewID(), FullName: "Someone", Location: "Here", JobTitle: "Something"}
		if _, err := s.employees.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	people := 0
	for path := "/"; path != ""; {
		_, body := s.get(path)
		people += strings.Count(body, `class="person"`)
		_, more, _ := strings.Cut(body, `href="/?after=`)
		if path, _, _ = strings.Cut(more, `"`); path != "" {
			path = "/?after=" + strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if people != 120 {
		t.Errorf("the pages list %d people, want 120", people)
	}
}

// broken is a store that does not answer.
type broken struct{ directory.Employees }

var errDown = errors.Join(directory.ErrUnavailable, errors.New("secret detail of the store"))

func (broken) Get(context.Context, string) (directory.Employee, error) {
	return directory.Employee{}, errDown
}

func (broken) Page(context.Context, directory.Query) (directory.Page, error) {
	return directory.Page{}, errDown
}
func (broken) Ping(context.Context) error { return errDown }
func (broken) Create(context.Context, directory.Employee) (directory.Employee, error) {
	return directory.Employee{}, errDown
}

func TestBrokenStore(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Employees = broken{} })
	for _, path := range []string{"/", "/employees/someone", "/api/employees", "/readyz"} {
		res, body := s.get(path)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got status %d, Retry-After %q", path, res.StatusCode, res.Header.Get("Retry-After"))
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s mentions the store: %s", path, body)
		}
	}
	for _, path := range []string{"/employees", "/employees/someone"} {
		res, body := s.submit(path, ada(), nil)
		wantStatus(t, res, http.StatusServiceUnavailable)
		wantText(t, body, `value="London"`, `action="`+path+`"`)
	}
	res, _ := s.get("/livez")
	wantStatus(t, res, http.StatusOK)
}

func TestReadinessEndsBeforeTheServiceDoes(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.get("/readyz")
	wantStatus(t, res, http.StatusOK)
	s.handler.Drain()
	res, _ = s.get("/readyz")
	wantStatus(t, res, http.StatusServiceUnavailable)
	res, _ = s.get("/")
	wantStatus(t, res, http.StatusOK)
}

func TestIsland(t *testing.T) {
	s := newSite(t, nil)
	_, page := s.get("/island")
	wantText(t, page, "eu-west-1", "i-1")
	res, text := s.do(http.MethodGet, "/island", "", "", "Accept", "application/json")
	wantText(t, text, `"region":"eu-west-1"`, `"version":"test"`)
	if res.Header.Get("X-Island") != "eu-west-1" || res.Header.Get("X-Instance") != "i-1" {
		t.Errorf("headers are %v", res.Header)
	}
}

// TestOperatorsHaveAPage that names who answers; pages for others do not.
func TestOperatorsHaveAPage(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), nil)
	for _, path := range []string{"/", res.Header.Get("Location"), "/employees/new", "/account", "/nowhere"} {
		_, body := s.get(path)
		wantText(t, body, `<a href="/islands">For operators</a>`)
		if strings.Contains(body, "i-1") || strings.Contains(body, `href="/island"`) || strings.Count(body, "/islands") != 1 {
			t.Errorf("%s speaks of instances: %s", path, body)
		}
	}
	_, body := s.get("/islands")
	wantText(t, body, "Instance <strong>i-1</strong> made this page", `href="/island"`)
	_, body = s.as(t, "").get("/sign-in")
	wantText(t, body, "Ask the directory’s administrator")
	if strings.Contains(body, "<code>") {
		t.Error("staff are to run a command")
	}
}
