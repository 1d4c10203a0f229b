package web_test

import (
	"bytes"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// TestAnswersAreAsTheDocumentSays walks the API and checks every answer against
// the document that the service serves of itself.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	s := newSite(t, nil)
	_, text := s.get("/api/openapi.json")
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	document.Servers = openapi3.Servers{{URL: s.URL}}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	walked := map[string]bool{}
	ask := func(method, path, contentType, body string, want int, headers ...string) *http.Response {
		t.Helper()
		res, answer := s.do(method, path, contentType, body, headers...)
		wantStatus(t, res, want)
		route, parameters, err := router.FindRoute(res.Request)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		walked[method+" "+route.Path] = true
		check(t, res, route, parameters, answer)
		return res
	}
	res := ask("POST", "/api/employees", "application/json", adaJSON, 201)
	path := res.Header.Get("Location")
	ask("POST", "/api/employees", "application/json", `{"fullName": ""}`, 422)
	ask("POST", "/api/employees", "application/json", `{`, 400)
	ask("GET", "/api/employees?limit=1&name=a&location=london&badge=linux", "", "", 200)
	ask("GET", "/api/employees?limit=0", "", "", 422)
	ask("GET", "/api/employees?after=%25", "", "", 400)
	ask("GET", path, "", "", 200)
	ask("GET", path, "", "", 304, "If-None-Match", `"1"`)
	ask("GET", "/api/employees/nobody", "", "", 404)
	ask("PUT", path, "application/json", adaJSON, 200, "If-Match", `"1"`)
	ask("PUT", path, "application/json", adaJSON, 412, "If-Match", `"1"`)
	ask("PUT", path, "application/json", adaJSON, 428)
	ask("PATCH", path, "application/json", `{"location": "Rome", "version": 2}`, 200)
	ask("PATCH", path, "application/json", `{"location": "Rome", "version": 2}`, 409)
	ask("PUT", path+"/photo", "application/octet-stream", string(picture(t, 3, 3, png.Encode)), 200)
	ask("PUT", path+"/photo", "application/octet-stream", "no picture", 415)
	ask("DELETE", path+"/photo", "", "", 204)
	ask("DELETE", path+"/photo", "", "", 412, "If-Match", `"1"`)
	ask("GET", "/api/locations", "", "", 200)
	ask("GET", "/api/locations?name=ro&limit=1", "", "", 200)
	ask("GET", "/api/locations?after=%25", "", "", 400)
	ask("GET", "/api/island", "", "", 200)
	ask("DELETE", path, "", "", 204)
	ask("DELETE", path, "", "", 404)
	ask("POST", "/api/session", "application/json", `{"name": "`+accountName+`", "password": "wrong"}`, 401)
	ask("POST", "/api/session", "application/json", `{"name": "`+accountName+`", "password": "`+password+`"}`, 201)
	s.session = signIn(t, s.handler)
	ask("PUT", "/api/password", "application/json", `{"current": "wrong", "new": "twelve purple kites sang"}`, 403)
	ask("PUT", "/api/password", "application/json", `{"current": "`+password+`", "new": "password1234"}`, 422)
	ask("DELETE", "/api/sessions", "", "", 204)
	ask("DELETE", "/api/sessions", "", "", 401)
	ask("PUT", "/api/password", "application/json", `{"current": "`+password+`", "new": "twelve purple kites sang"}`, 401)
	s.session = signIn(t, s.handler)
	ask("PUT", "/api/password", "application/json", `{"current": "`+password+`", "new": "twelve purple kites sang"}`, 200)
	ask("DELETE", "/api/session", "", "", 204)
	ask("POST", "/api/employees", "application/json", adaJSON, 401)
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			if !walked[method+" "+path] {
				t.Errorf("%s %s was not walked", method, path)
			}
		}
	}
}

func check(t *testing.T, res *http.Response, route *routers.Route, parameters map[string]string, answer string) {
	t.Helper()
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: res.Request, PathParams: parameters, Route: route},
		Status:                 res.StatusCode,
		Header:                 res.Header,
		Body:                   io.NopCloser(bytes.NewReader([]byte(answer))),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if strings.HasSuffix(res.Header.Get("Content-Type"), "problem+json") {
		openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s: %v", res.Request.Method, res.Request.URL.Path, err)
	}
}
