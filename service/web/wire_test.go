package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// raw sends bytes over a connection of their own, says that no more come, and
// returns the answer's status, 0 where there is none. It sends them again where the
// stores took all the time that they have, since that is a busy machine's answer and not
// the request's.
func (s *site) raw(request string) int {
	s.t.Helper()
	for again := 0; ; again++ {
		began := time.Now()
		if status := s.rawOnce(request); status != http.StatusServiceUnavailable || time.Since(began) < 2*time.Second || again == 5 {
			return status
		}
	}
}

func (s *site) rawOnce(request string) int {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// TestMalformedRequestIsTheSendersFault sends what ends early or is malformed to
// every route that takes a body, without an account and with one: no answer says
// that the service failed, since deployments are judged by those.
func TestMalformedRequestIsTheSendersFault(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.LoadGenerator = true })
	res, _ := s.submit("/employees", ada(), nil)
	path := res.Header.Get("Location")
	routes := []string{
		"POST /sign-in", "POST /sign-out", "POST /employees", "POST " + path, "POST " + path + "/delete", "POST /island/load",
		"POST /island/load/stop", "POST /account/password", "POST /account/sign-out-everywhere", "POST /nowhere",
		"POST /api/session", "DELETE /api/session", "POST /api/employees", "PUT /api" + path, "PATCH /api" + path, "DELETE /api" + path,
		"PUT /api" + path + "/photo", "DELETE /api" + path + "/photo", "PUT /api/password", "GET /", "GET /api/employees",
	}
	bodies := map[string]string{
		"a bad chunk":       "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a cut chunk":       "Transfer-Encoding: chunked\r\n\r\n10\r\nabc",
		"an early end":      "Content-Length: 100\r\n\r\n{",
		"nothing":           "Content-Length: 100\r\n\r\n",
		"no body":           "Content-Length: 0\r\n\r\n",
		"no text":           "Content-Length: 3\r\n\r\n\xff\x00{",
		"a lone brace":      "Content-Length: 1\r\n\r\n{",
		"another type":      "Content-Length: 4\r\n\r\nnull",
		"deep JSON":         "Content-Length: 15000\r\n\r\n" + strings.Repeat("[", 15000),
		"a broken encoding": "Content-Length: 7\r\n\r\nname=%z",
	}
	for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x", "text/;;", ""} {
		for _, session := range []string{"", "Cookie: " + s.session + "\r\n"} {
			for _, route := range routes {
				for name, body := range bodies {
					if strings.HasPrefix(route, "POST /account/sign-out") || strings.HasSuffix(route, "/session") || route == "POST /sign-out" {
						if session != "" {
							continue // it would end
						}
					}
					request := route + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + contentType + "\r\n" + session + body
					if status := s.raw(request); status >= 500 {
						t.Errorf("%s with %s as %q: %d", route, name, contentType, status)
					}
				}
			}
		}
	}
	if status := s.raw("POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); status != http.StatusBadRequest {
		t.Errorf("a bad chunk of a sign-in: %d, want 400", status)
	}
	for _, header := range []string{
		"If-Match: \xff", "If-None-Match: \"", "Range: bytes=9-1,,", "Cookie: session=\xff; recent=....; flash=", "Accept-Encoding: gzip;q=x",
		"X-Forwarded-For: ,,", "Idempotency-Key: \xff", "Content-Type: ;", "Expect: nothing",
	} {
		for _, route := range routes {
			if status := s.raw(route + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\nContent-Length: 0\r\n\r\n"); status >= 500 {
				t.Errorf("%s with %q: %d", route, header, status)
			}
		}
	}
	for _, path := range []string{"/?name=%ff&badge=%00&location=%ff", "/?after=%ff", "/locations?name=%ff&after=x", "/employees/%ff", "/photos/%ff/%00", "/static/%2e%2e", "/api/employees?after=%ff", "/api/locations?limit=x", "/%zz"} {
		if status := s.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"); status >= 500 || status == 0 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

// TestSlowUploadIsAnswered sends a form whose body stops coming, with a deadline
// that has passed: the answer says so, and comes.
func TestSlowUploadIsAnswered(t *testing.T) {
	s := newSite(t, nil)
	for _, route := range []string{"POST /sign-in", "POST /api/session", "POST /employees", "PUT /api/employees/a/photo"} {
		server := httptest.NewUnstartedServer(s.handler)
		server.Config.ReadTimeout = 300 * time.Millisecond
		server.Config.WriteTimeout = server.Config.ReadTimeout + 10*time.Second
		server.Start()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		contentType := "application/json"
		if !strings.Contains(route, "/api/") {
			contentType = "multipart/form-data; boundary=x"
		}
		if route == "POST /sign-in" {
			contentType = formType
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n--x", route, s.session, contentType)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", route, err)
		} else if res.StatusCode != http.StatusRequestTimeout || !res.Close {
			t.Errorf("%s: got %s, and the connection stays %t; want 408 and its end", route, res.Status, !res.Close)
		}
		conn.Close()
		server.Close()
	}
}

// deadlines notes how far deadlines are put off.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// TestLargeUploadMayTakeLonger: the deadlines are put off by what came, and that to
// answer is the later.
func TestLargeUploadMayTakeLonger(t *testing.T) {
	s := newSite(t, nil)
	content := append(picture(t, 9, 9, png.Encode), make([]byte, 9<<20)...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/employees/a/photo", bytes.NewReader(content))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Cookie", s.session)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	start := time.Now()
	s.handler.ServeHTTP(w, r)
	// 9 MB at 130 kB/s take 73 s; at the slowest that is let through, ten minutes.
	if least := start.Add(9 * time.Minute); w.read.Before(least) || w.write.Sub(w.read) != web.AnswerTimeout {
		t.Errorf("it may take %s, and the answer %s", w.read.Sub(start), w.write.Sub(w.read))
	}
}

// unzip asks for an address as browsers do and returns the answer's bytes on the
// wire and what they hold.
func (s *site) unzip(path, encoding string, headers ...string) (*http.Response, []byte, string) {
	s.t.Helper()
	s.Client().Transport.(*http.Transport).DisableCompression = true
	res, wire := s.do(http.MethodGet, path, "", "", append(headers, "Accept-Encoding", encoding)...)
	text := wire
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(wire))
		if err != nil {
			s.t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			s.t.Fatal(err)
		}
		text = string(b)
	}
	return res, []byte(wire), text
}

// TestAnswersAreCompressed asks for what browsers and programs read, with and
// without a coding that they take.
func TestAnswersAreCompressed(t *testing.T) {
	s := newSite(t, nil)
	for i := range 24 {
		fields := adaWith(fmt.Sprintf("Employee %02d of the Archipelago", i))
		s.submit("/employees", fields, nil)
	}
	s = s.as(t, "")
	for path, least := range map[string]float64{
		"/": 4, "/island": 2, "/sign-in": 2, "/nowhere": 2, "/static/style.css": 3, "/static/form.js": 2, "/static/contours.svg": 2,
		"/api/employees": 4, "/api/openapi.json": 4,
	} {
		plain, wire, text := s.unzip(path, "identity")
		if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Etag") != "" && strings.Contains(plain.Header.Get("Etag"), "gzip") {
			t.Errorf("%s without a coding: %v", path, plain.Header)
		}
		for _, coding := range []string{"gzip", "br, gzip;q=0.5", "GZIP"} {
			zipped, small, same := s.unzip(path, coding)
			if zipped.Header.Get("Content-Encoding") != "gzip" || float64(len(wire))/float64(len(small)) < least {
				t.Errorf("%s as %q: %d bytes of %d, %v", path, coding, len(small), len(wire), zipped.Header)
			}
			if path != "/island" && path != "/nowhere" && same != text {
				t.Errorf("%s says something else compressed", path)
			}
			for _, res := range []*http.Response{plain, zipped} {
				if !strings.Contains(strings.Join(res.Header["Vary"], ","), "Accept-Encoding") {
					t.Errorf("%s varies by %q", path, res.Header["Vary"])
				}
			}
			if tag := zipped.Header.Get("Etag"); tag != "" && tag == plain.Header.Get("Etag") {
				t.Errorf("%s has one entity tag, %s, in two encodings", path, tag)
			}
		}
		for _, coding := range []string{"", "br", "gzip;q=0", "deflate, gzip; q=0.0"} {
			if res, _, _ := s.unzip(path, coding); res.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s as %q is compressed", path, coding)
			}
		}
	}
	if _, wire, _ := s.unzip("/", "gzip"); len(wire) > 8000 {
		t.Errorf("a list of 24 has %d bytes on the wire, want 8000 at most", len(wire))
	}
	// A copy is current in its own encoding.
	for _, path := range []string{"/", "/static/style.css"} {
		for _, coding := range []string{"gzip", "identity"} {
			res, _, _ := s.unzip(path, coding)
			again, wire, _ := s.unzip(path, coding, "If-None-Match", res.Header.Get("Etag"))
			if again.StatusCode != http.StatusNotModified || len(wire) > 0 || again.Header.Get("Etag") != res.Header.Get("Etag") {
				t.Errorf("%s as %s: got %s, %d bytes, %v", path, coding, again.Status, len(wire), again.Header)
			}
		}
	}
}

// TestConditionalRequests asks and changes as RFC 9110 has it.
func TestConditionalRequests(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	path := res.Header.Get("Location")
	for tags, want := range map[string]int{
		`"1"`: 304, `W/"1"`: 304, `*`: 304, `"7", "1"`: 304, `"7",W/"1"`: 304, ` "1" `: 304,
		`"2"`: 200, `1`: 200, `"11"`: 200, `W/"2", "3"`: 200,
	} {
		res, _ := s.do(http.MethodGet, path, "", "", "If-None-Match", tags)
		if res.StatusCode != want || res.Header.Get("Etag") != `"1"` {
			t.Errorf("If-None-Match %s: got %s with %s, want %d", tags, res.Status, res.Header.Get("Etag"), want)
		}
		page, _ := s.get("/")
		listed, _ := s.do(http.MethodGet, "/", "", "", "If-None-Match", strings.ReplaceAll(tags, `"1"`, page.Header.Get("Etag")))
		if listed.StatusCode != want {
			t.Errorf("the list, If-None-Match %s: got %s, want %d", tags, listed.Status, want)
		}
	}
	version := 1
	for _, test := range []struct {
		tags string
		want int
	}{
		{`"%d"`, 200}, {`*`, 200}, {`"99", "%d"`, 200}, {`"99",W/"1" , "%d"`, 200},
		{`W/"%d"`, 412}, {`%d`, 412}, {`"99"`, 412}, {`"0%d"`, 412}, {`"`, 412}, {`"99", W/"%d"`, 412}, {`""`, 412},
	} {
		for _, change := range []struct{ method, path, body string }{
			{http.MethodPatch, path, `{"location": "Rome"}`},
			{http.MethodPut, path, `{"fullName": "Ada", "location": "Oslo", "jobTitle": "X", "badges": []}`},
			{http.MethodPut, path + "/photo", string(picture(t, 9, 9, png.Encode))},
			{http.MethodDelete, path + "/photo", ""},
		} {
			tags := test.tags
			if strings.Contains(tags, "%d") {
				tags = fmt.Sprintf(tags, version)
			}
			want := test.want
			if want == 200 {
				version++
				if change.method == http.MethodDelete {
					want = 204
				}
			}
			res, body := s.do(change.method, change.path, "application/json", change.body, "If-Match", tags)
			if res.StatusCode != want {
				t.Fatalf("%s %s, If-Match %s: got %s, want %d\n%s", change.method, change.path, tags, res.Status, want, body)
			}
		}
	}
	// Several lines are one list.
	current := fmt.Sprintf(`"%d"`, version)
	for _, method := range []string{http.MethodGet, http.MethodPatch} { // which changes the version
		want := 304
		if method == http.MethodPatch {
			want = 200
		}
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}"))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header = http.Header{"Cookie": {s.session}, "Content-Type": {"application/json"}, "If-None-Match": {`"99"`, current}}
		if method == http.MethodPatch {
			r.Header["If-Match"] = r.Header["If-None-Match"]
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		wantStatus(t, w.Result(), want)
	}
	for _, tags := range []string{`W/"1"`, `"99"`, "x"} {
		res, _ := s.do(http.MethodDelete, path, "", "", "If-Match", tags)
		wantStatus(t, res, http.StatusPreconditionFailed)
	}
	version++
	res, _ = s.do(http.MethodDelete, path, "", "", "If-Match", fmt.Sprintf(`"99", "%d"`, version))
	wantStatus(t, res, http.StatusNoContent)
	res, _ = s.do(http.MethodDelete, path, "", "", "If-Match", "*")
	wantStatus(t, res, http.StatusNotFound)
}

// TestRangesOfOtherUnitsAreIgnored as RFC 9110, 14.2, has it.
func TestRangesOfOtherUnitsAreIgnored(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.submit("/employees", ada(), picture(t, 9, 9, png.Encode))
	_, body := s.get(res.Header.Get("Location"))
	_, address, _ := strings.Cut(body, `src="/photos/`)
	address, _, _ = strings.Cut(address, `"`)
	for header, want := range map[string]int{"lines=1": 200, "lines=": 200, "x": 200, "bytes=0-3": 206, "Bytes=0-3": 200, "bytes=99999-": 416} {
		for _, path := range []string{"/photos/" + address, "/static/style.css"} {
			res, _ := s.do(http.MethodGet, path, "", "", "Range", header, "Accept-Encoding", "identity")
			if res.StatusCode != want && header != "Bytes=0-3" {
				t.Errorf("%s, Range %s: got %s, want %d", path, header, res.Status, want)
			}
		}
	}
}

// TestPhotoIsNotLookedAtForAStaleChange sends a picture that takes seconds.
func TestPhotoIsNotLookedAtForAStaleChange(t *testing.T) {
	s, a, _ := newAlbum(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON)
	path := res.Header.Get("Location")
	res, _ = s.do(http.MethodPut, path+"/photo", "image/png", "no picture", "If-Match", `"9"`)
	wantStatus(t, res, http.StatusPreconditionFailed)
	fields := ada()
	fields.Set("version", "9")
	res, _ = s.submit(strings.TrimPrefix(path, "/api"), fields, []byte("no picture"))
	wantStatus(t, res, http.StatusConflict)
	if len(a.kept) > 0 {
		t.Errorf("%d photos are kept", len(a.kept))
	}
}

// TestUpdateNamesAllFields: a program that drops what it does not know does not take
// an employee's badges.
func TestUpdateNamesAllFields(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", `{"fullName": "Ada", "location": "Oslo", "jobTitle": "X"}`)
	wantStatus(t, res, http.StatusCreated)
	path := res.Header.Get("Location")
	_, body := s.get(path)
	wantText(t, body, `"badges":[]`)
	res, body = s.do(http.MethodPut, path, "application/json", `{"fullName": "Ada", "location": "Oslo", "jobTitle": "X"}`, "If-Match", "*")
	wantStatus(t, res, http.StatusUnprocessableEntity)
	wantText(t, body, "badges")
	res, body = s.do(http.MethodPut, path, "application/json", `{"fullName": "Ada", "location": "Oslo", "jobTitle": "X", "badges": ["bug"]}`, "If-Match", "*")
	wantStatus(t, res, http.StatusOK)
	// A record as it was read can be sent back.
	res, _ = s.do(http.MethodPut, path, "application/json", body)
	wantStatus(t, res, http.StatusOK)
	wantText(t, body, `"badges":["bug"]`)
}

// TestRepeatedCreationAfterAnEdit: the client sent the same as before, whatever
// somebody made of it since.
func TestRepeatedCreationAfterAnEdit(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON, "Idempotency-Key", "k")
	wantStatus(t, res, http.StatusCreated)
	s.do(http.MethodPatch, res.Header.Get("Location"), "application/json", `{"location": "Rome"}`, "If-Match", "*")
	again, body := s.do(http.MethodPost, "/api/employees", "application/json", adaJSON, "Idempotency-Key", "k")
	wantStatus(t, again, http.StatusCreated)
	wantText(t, body, `"location":"Rome"`, `"version":2`)
	if got := s.names(); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

// TestEveryLocationCanBeFound has more of them than a page of the API or the list
// offers.
func TestEveryLocationCanBeFound(t *testing.T) {
	s := newSite(t, nil)
	const count = directory.MaxLocations + 12
	want := map[string]bool{"Zürich": true}
	for i := range count {
		want[fmt.Sprintf("Place %03d", i)] = true
	}
	for location := range want {
		e := directory.Employee{ID: directory.NewID(), FullName: "Somebody", Location: location, JobTitle: "X"}
		if _, err := s.store.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	found, pages := map[string]bool{}, 0
	for address := "/locations"; address != ""; pages++ {
		_, body := s.get(address)
		for location := range want {
			if strings.Contains(body, ">"+location+"</a>") {
				found[location] = true
			}
		}
		_, next, _ := strings.Cut(body, `class="button quiet" href="`)
		address, _, _ = strings.Cut(next, `"`)
	}
	if len(found) != len(want) || pages != 2 {
		t.Errorf("%d of %d locations are found on %d pages", len(found), len(want), pages)
	}
	_, body := s.get("/")
	wantText(t, body, `<a href="/locations">All locations</a>`, `list="locations"`)
	_, body = s.get("/?location=Zur")
	wantText(t, body, "Some begin so:", `<a href="/?location=Z%C3%BCrich"`)
	_, body = s.get("/locations?name=ZUR")
	wantText(t, body, ">Zürich</a>")
	_, body = s.get("/api/locations?name=zur")
	wantText(t, body, `{"locations":["Zürich"]}`)
	_, body = s.get("/api/locations")
	wantText(t, body, `"next":"`)
}
