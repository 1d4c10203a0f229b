package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// fields are what a client says of a new employee.
type fields struct {
	FullName string `json:"fullName" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Location string `json:"location" minLength:"1" maxLength:"200" example:"London"`
	JobTitle string `json:"jobTitle" minLength:"1" maxLength:"200" example:"Analyst"`
	Badges   Badges `json:"badges,omitempty" doc:"Ids of badges, such as bug; one that is not known is answered with all that are"`
}

// Badges are ids of badges. It is exported for huma, as IDInput is.
type Badges []string

// Schema implements huma.SchemaProvider: there are at most as many as there are
// badges.
func (Badges) Schema(huma.Registry) *huma.Schema {
	most := len(directory.Badges)
	return &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: &huma.Schema{Type: huma.TypeString}}
}

func (f fields) employee() directory.Employee {
	return directory.Employee{FullName: f.FullName, Location: f.Location, JobTitle: f.JobTitle, Badges: f.Badges}
}

// record is an employee as the API shows one, and takes one back in an update.
type record struct {
	ID           string    `json:"id,omitempty" readOnly:"true"`
	FullName     string    `json:"fullName" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Location     string    `json:"location" minLength:"1" maxLength:"200" example:"London"`
	JobTitle     string    `json:"jobTitle" minLength:"1" maxLength:"200" example:"Analyst"`
	Badges       Badges    `json:"badges" doc:"Ids of badges. An update has to name all that the employee wears: without the key it would take them"`
	PhotoURL     string    `json:"photoUrl,omitempty" readOnly:"true" doc:"Address of the photo, on this service; absent where there is none"`
	ThumbnailURL string    `json:"thumbnailUrl,omitempty" readOnly:"true" doc:"Address of the photo as lists show it, on this service; absent where there is none"`
	Version      int64     `json:"version,omitempty" minimum:"1" doc:"Counts the changes; an update is based on the one it names, here or in If-Match"`
	Updated      time.Time `json:"updated,omitzero" readOnly:"true" doc:"Time of the last change"`
}

func recordOf(e directory.Employee) record {
	return record{
		ID: e.ID, FullName: e.FullName, Location: e.Location, JobTitle: e.JobTitle, Badges: append(Badges{}, e.Badges...),
		PhotoURL: photoURL(e), ThumbnailURL: thumbnailURL(e), Version: e.Version, Updated: e.Updated,
	}
}

// employee is what a record says of an employee, but for what a client does not set.
func (r record) employee() directory.Employee {
	return directory.Employee{FullName: r.FullName, Location: r.Location, JobTitle: r.JobTitle, Badges: r.Badges}
}

type (
	recordOutput struct {
		ETag string `header:"ETag" doc:"The version, to name in If-Match"`
		Body record
	}
	// IDInput and VersionInput are exported, since huma leaves embedded types that
	// are not out of the schema.
	IDInput struct {
		ID string `path:"id" maxLength:"64" doc:"The employee's id"`
	}
	getInput struct {
		IDInput
		IfNoneMatch string `header:"If-None-Match" doc:"The ETag of a copy that the client has"`
	}
	// VersionInput names the version that a change is based on.
	VersionInput struct {
		IDInput
		IfMatch string `header:"If-Match" doc:"The ETag of the version that the change is based on"`
	}
	listInput struct {
		Name     string `query:"name" maxLength:"200" doc:"How the full name begins, whatever the case and the accents"`
		Location string `query:"location" maxLength:"200" doc:"Where the employees are, whatever the case and the accents"`
		Badge    string `query:"badge" maxLength:"64" doc:"Id of a badge that the employees wear"`
		After    string `query:"after" maxLength:"2048" doc:"Cursor: the next of the page before"`
		Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"Employees on a page"`
		Recent   string `cookie:"recent" doc:"Set by the service: what this client changed within the last seconds"`
	}
	listOutput struct {
		Body struct {
			Employees []record `json:"employees" nullable:"false"`
			Next      string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
		}
	}
	createInput struct {
		IdempotencyKey string `header:"Idempotency-Key" maxLength:"128" doc:"Any text: a request that is repeated with it adds one employee"`
		Body           fields
	}
	createOutput struct {
		Location string `header:"Location" doc:"Address of the new employee"`
		ETag     string `header:"ETag" doc:"The version, to name in If-Match"`
		Body     record
	}
	updateInput struct {
		VersionInput
		Body record
	}
	patchInput struct {
		VersionInput
		Body changes
	}
	photoInput struct {
		VersionInput
		body io.Reader
	}
	locationsInput struct {
		Name  string `query:"name" maxLength:"200" doc:"How the location begins, whatever the case and the accents"`
		After string `query:"after" maxLength:"2048" doc:"Cursor: the next of the page before"`
		Limit int    `query:"limit" minimum:"1" maximum:"200" default:"200" doc:"Locations on a page"`
	}
	locationsOutput struct {
		Body struct {
			Locations []string `json:"locations" nullable:"false" doc:"Where employees are, by name"`
			Next      string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
		}
	}
	islandOutput struct{ Body Island }
)

// changes are the fields to replace; what is absent stays as it is.
type changes struct {
	FullName *string `json:"fullName,omitempty" minLength:"1" maxLength:"200"`
	Location *string `json:"location,omitempty" minLength:"1" maxLength:"200"`
	JobTitle *string `json:"jobTitle,omitempty" minLength:"1" maxLength:"200"`
	Badges   *Badges `json:"badges,omitempty"`
	Version  int64   `json:"version,omitempty" minimum:"1" doc:"Version that the update is based on; If-Match may say it instead"`
}

func (c changes) apply(e directory.Employee) directory.Employee {
	for field, value := range map[*string]*string{&e.FullName: c.FullName, &e.Location: c.Location, &e.JobTitle: c.JobTitle} {
		if value != nil {
			*field = *value
		}
	}
	if c.Badges != nil {
		e.Badges = *c.Badges
	}
	return e
}

// photoPath is the address of an employee's photo in the API.
const photoPath = "/api/employees/{id}/photo"

// api adds the routes of the JSON API and its OpenAPI document.
func (s *Server) api(mux *http.ServeMux) {
	config := huma.DefaultConfig("Archipelago employee directory", s.Island().Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", "/api/schemas"
	config.CreateHooks = nil // no $schema links in the answers
	config.Transformers = append(config.Transformers, withoutValues)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{sessionScheme: {
		Type: "apiKey", In: "cookie", Name: clearCookie,
		Description: "Set by POST " + sessionPath + ". Over TLS its name is " + secureCookie + ".",
	}}
	lenient := config.Formats["application/json"]
	lenient.Unmarshal = unmarshalJSON
	config.Formats = map[string]huma.Format{"application/json": lenient, "json": lenient}
	signing := map[string]access{"POST " + sessionPath: signingIn, "DELETE " + sessionPath: signingIn}
	api := humago.New(apiMux{mux, s, signing}, config)
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		ctx.SetHeader("Cache-Control", askEachTime[0])
		if err := readSmallBody(ctx); err != nil {
			r, w := humago.Unwrap(ctx)
			s.fail(w, r, err)
			return
		}
		next(ctx)
	})

	s.apiSession(api)
	s.apiAccount(api)
	register(api, s, http.MethodGet, "/api/employees", "list-employees", "Employees by name, a page at a time", s.apiList)
	register(api, s, http.MethodPost, "/api/employees", "create-employee", "Add an employee", s.apiCreate)
	register(api, s, http.MethodGet, "/api/employees/{id}", "get-employee", "An employee", s.apiGet)
	register(api, s, http.MethodPut, "/api/employees/{id}", "update-employee", "Replace an employee's fields", s.apiUpdate)
	register(api, s, http.MethodPatch, "/api/employees/{id}", "patch-employee", "Replace some of an employee's fields", s.apiPatch)
	register(api, s, http.MethodDelete, "/api/employees/{id}", "delete-employee", "Remove an employee", s.apiDelete)
	register(api, s, http.MethodDelete, photoPath, "delete-photo", "Erase an employee's photo", s.apiDeletePhoto)
	register(api, s, http.MethodPut, photoPath, "put-photo", "Set an employee's photo: JPEG, PNG, WebP or GIF of 20 MB at most, and of 16 megapixels, or 50 as a JPEG", s.apiPutPhoto)
	documentPhoto(api)
	register(api, s, http.MethodGet, "/api/locations", "list-locations", "Where employees are", s.apiLocations)
	register(api, s, http.MethodGet, "/api/island", "get-island", "Where this answer comes from", s.apiIsland)
}

// register adds one operation whose errors are mapped as those of the pages.
func register[I, O any](api huma.API, s *Server, method, path, id, summary string, handler func(context.Context, *I) (*O, error)) {
	operation := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		DefaultStatus: defaultStatus(method), MaxBodyBytes: maxSmallBody, BodyReadTimeout: ReadTimeout,
	}
	if !isRead(method) || s.SignedInReads {
		operation.Security = []map[string][]string{{sessionScheme: {}}}
	}
	huma.Register(api, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		var told huma.StatusError
		if errors.As(err, &told) {
			return nil, err
		}
		return nil, s.problem(ctx, path, err)
	})
}

// readSmallBody reads the body of an operation that takes JSON: huma's own answer
// to one that ends early or is malformed is 500, as if the service were at fault.
func readSmallBody(ctx huma.Context) error {
	operation := ctx.Operation()
	if operation.RequestBody == nil || operation.Path == photoPath {
		return nil
	}
	r, _ := humago.Unwrap(ctx)
	// What is longer huma refuses, by its own limit.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSmallBody+1))
	if err != nil {
		return unreadable(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func defaultStatus(method string) int {
	switch method {
	case http.MethodPost:
		return http.StatusCreated
	case http.MethodDelete:
		return http.StatusNoContent
	default:
		return http.StatusOK
	}
}

// problem is err as problem+json.
func (s *Server) problem(ctx context.Context, path string, err error) error {
	e := statusOf(err)
	s.logFailure(ctx, path, e)
	var details []error
	var invalid *directory.InvalidError
	if errors.As(err, &invalid) {
		for _, f := range invalid.Fields {
			details = append(details, &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Message})
		}
	}
	problem := huma.NewError(e.status, e.message, details...)
	header := http.Header{}
	e.setHeader(header)
	return huma.ErrorWithHeaders(problem, header)
}

// unmarshalJSON names the place at which JSON is malformed.
func unmarshalJSON(data []byte, v any) error {
	if i := invalidUTF8(data); i >= 0 {
		return fmt.Errorf("malformed JSON: byte %d is not UTF-8", i+1)
	}
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := string(data[:min(int(syntax.Offset), len(data))])
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndex(before, "\n")+1:]))
	return fmt.Errorf("malformed JSON at line %d, column %d: %w", line, column, err)
}

// invalidUTF8 returns the index of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// etag is the entity tag of an employee's version.
func etag(e directory.Employee) string { return `"` + strconv.FormatInt(e.Version, 10) + `"` }

// versions returns those that an If-Match lists, each as a strong entity tag; any
// is true of "*". Sources: RFC 9110, 8.8.3 and 13.1.1.
func versions(ifMatch string) (versions []int64, any bool) {
	for tag := range strings.SplitSeq(ifMatch, ",") {
		tag = strings.TrimSpace(tag)
		any = any || tag == "*"
		if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			continue
		}
		if n, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64); err == nil && n > 0 && strconv.FormatInt(n, 10) == tag[1:len(tag)-1] {
			versions = append(versions, n)
		}
	}
	return versions, any
}

// errNoVersion asks for the version that a change is based on.
var errNoVersion = &statusError{
	status:  http.StatusPreconditionRequired,
	message: "Say which version the change is based on, in If-Match or version: it comes as ETag and version with the employee.",
}

// basedOn returns the version of the stored employee that a change is based on. A
// client names the versions that it accepts in If-Match, or one in the body.
func basedOn(stored directory.Employee, ifMatch string, version int64) (int64, error) {
	if version != 0 && version != stored.Version {
		return 0, unmatched(ifMatch, directory.ErrConflict)
	}
	if named, any := versions(ifMatch); ifMatch != "" && !any && !slices.Contains(named, stored.Version) {
		return 0, unmatched(ifMatch, directory.ErrConflict)
	}
	return stored.Version, nil
}

// unmatched is err as HTTP says it of a request with If-Match.
func unmatched(ifMatch string, err error) error {
	if ifMatch == "" || !errors.Is(err, directory.ErrConflict) {
		return err
	}
	if named, any := versions(ifMatch); len(named) == 0 && !any {
		return &statusError{http.StatusPreconditionFailed, "If-Match names no version: it takes ETags as they come with the employee, such as \"3\", or *.", err}
	}
	return &statusError{http.StatusPreconditionFailed, "Someone else changed this employee meanwhile: If-Match names an earlier version.", err}
}

func (s *Server) apiList(ctx context.Context, in *listInput) (*listOutput, error) {
	q := directory.Query{Prefix: in.Name, Location: in.Location, Badge: in.Badge, After: in.After, Limit: in.Limit}
	page, err := s.page(ctx, q, recentIDs(in.Recent))
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Next = page.Next
	out.Body.Employees = make([]record, 0, len(page.Employees))
	for _, e := range page.Employees {
		out.Body.Employees = append(out.Body.Employees, recordOf(e))
	}
	return out, nil
}

func (s *Server) apiGet(ctx context.Context, in *getInput) (*recordOutput, error) {
	e, err := s.Employees.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if hasTag(in.IfNoneMatch, etag(e)) {
		return nil, huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"Etag": {etag(e)}})
	}
	return &recordOutput{etag(e), recordOf(e)}, nil
}

func (s *Server) apiCreate(ctx context.Context, in *createInput) (*createOutput, error) {
	e, err := s.add(ctx, in.Body.employee(), in.IdempotencyKey, nil)
	return &createOutput{"/api/employees/" + e.ID, etag(e), recordOf(e)}, err
}

func (s *Server) apiUpdate(ctx context.Context, in *updateInput) (*recordOutput, error) {
	return s.apiChange(ctx, in.VersionInput, in.Body.Version, nil, func(stored directory.Employee) directory.Employee {
		e := in.Body.employee()
		e.ID, e.Photo = stored.ID, stored.Photo
		return e
	})
}

func (s *Server) apiPatch(ctx context.Context, in *patchInput) (*recordOutput, error) {
	return s.apiChange(ctx, in.VersionInput, in.Body.Version, nil, in.Body.apply)
}

// Resolve implements huma.Resolver. The body is not read into memory.
func (in *photoInput) Resolve(ctx huma.Context) []error {
	in.body = ctx.BodyReader()
	return nil
}

// documentPhoto says in the OpenAPI document what photoInput does not.
func documentPhoto(api huma.API) {
	body := &huma.RequestBody{Required: true, Description: "The photo, whose kind is told by its content", Content: map[string]*huma.MediaType{}}
	for _, kind := range []string{"image/jpeg", "image/png", "image/webp", "image/gif", "application/octet-stream"} {
		body.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	api.OpenAPI().Paths[photoPath].Put.RequestBody = body
}

// apiPutPhoto replaces the photo of the versions that are named, or of the present
// one: the other fields stay as they are either way.
func (s *Server) apiPutPhoto(ctx context.Context, in *photoInput) (*recordOutput, error) {
	upload, err := s.spool(in.body)
	if err != nil {
		return nil, err
	}
	if upload == nil {
		return nil, &statusError{status: http.StatusBadRequest, message: "A photo is required, as the body of the request."}
	}
	defer upload.Close()
	return s.apiChangePhoto(ctx, in.VersionInput, upload, func(stored directory.Employee) directory.Employee { return stored })
}

// apiDeletePhoto erases the photo of the versions that are named, or of the present
// one. Where there is none, nothing changes.
func (s *Server) apiDeletePhoto(ctx context.Context, in *VersionInput) (*struct{}, error) {
	_, err := s.apiChangePhoto(ctx, *in, nil, func(stored directory.Employee) directory.Employee {
		stored.Photo = directory.Photo{}
		return stored
	})
	return nil, err
}

// apiChangePhoto is apiChange for a change that need not name a version.
func (s *Server) apiChangePhoto(ctx context.Context, in VersionInput, upload *photo.Upload, change func(directory.Employee) directory.Employee) (*recordOutput, error) {
	var version int64
	if in.IfMatch == "" {
		stored, err := s.Employees.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		version = stored.Version
	}
	return s.apiChange(ctx, in, version, upload, change)
}

// apiChange keeps what change makes of an employee, if that still is the version
// that the client named. It finds out before it looks at a photo.
func (s *Server) apiChange(ctx context.Context, in VersionInput, version int64, upload *photo.Upload, change func(directory.Employee) directory.Employee) (*recordOutput, error) {
	if in.IfMatch == "" && version == 0 {
		return nil, errNoVersion
	}
	stored, err := s.Employees.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if version, err = basedOn(stored, in.IfMatch, version); err != nil {
		return nil, err
	}
	e := change(stored)
	e.Version = version
	e, err = s.save(ctx, e, stored, upload, s.Employees.Update)
	return &recordOutput{etag(e), recordOf(e)}, unmatched(in.IfMatch, err)
}

func (s *Server) apiDelete(ctx context.Context, in *VersionInput) (*struct{}, error) {
	var version int64
	if in.IfMatch != "" {
		stored, err := s.Employees.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if version, err = basedOn(stored, in.IfMatch, 0); err != nil {
			return nil, err
		}
	}
	return nil, unmatched(in.IfMatch, s.remove(ctx, in.ID, version))
}

func (s *Server) apiLocations(ctx context.Context, in *locationsInput) (*locationsOutput, error) {
	page, err := s.Employees.Locations(ctx, directory.LocationQuery{Prefix: in.Name, After: in.After, Limit: in.Limit})
	out := &locationsOutput{}
	out.Body.Locations, out.Body.Next = append([]string{}, page.Locations...), page.Next
	return out, err
}

func (s *Server) apiIsland(context.Context, *struct{}) (*islandOutput, error) {
	return &islandOutput{Body: s.Island()}, nil
}
