package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Fields are what a client says of an employee. The type is exported since huma
// leaves embedded types that are not out of the schema.
type Fields struct {
	FullName string   `json:"fullName" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Location string   `json:"location" minLength:"1" maxLength:"200" example:"London"`
	JobTitle string   `json:"jobTitle" minLength:"1" maxLength:"200" example:"Analyst"`
	Badges   []string `json:"badges,omitempty" doc:"Ids of badges, such as bug; one that is not known is answered with all that are" maxItems:"12"`
}

func (f Fields) employee() directory.Employee {
	return directory.Employee{FullName: f.FullName, Location: f.Location, JobTitle: f.JobTitle, Badges: f.Badges}
}

// record is an employee as the API shows one, and takes one back in an update.
type record struct {
	ID string `json:"id,omitempty" readOnly:"true"`
	Fields
	PhotoURL     string    `json:"photoUrl,omitempty" readOnly:"true" doc:"Address of the photo, on this service; absent where there is none"`
	ThumbnailURL string    `json:"thumbnailUrl,omitempty" readOnly:"true" doc:"Address of the photo as lists show it, on this service; absent where there is none"`
	Version      int64     `json:"version,omitempty" minimum:"1" doc:"Counts the changes; an update is based on the one it names, here or in If-Match"`
	Updated      time.Time `json:"updated,omitzero" readOnly:"true" doc:"Time of the last change"`
}

func recordOf(e directory.Employee) record {
	return record{
		ID:       e.ID,
		Fields:   Fields{FullName: e.FullName, Location: e.Location, JobTitle: e.JobTitle, Badges: e.Badges},
		PhotoURL: photoURL(e), ThumbnailURL: thumbnailURL(e), Version: e.Version, Updated: e.Updated,
	}
}

type (
	recordOutput struct {
		ETag string `header:"ETag" doc:"The version, to name in If-Match"`
		Body record
	}
	// IDInput and VersionInput are exported as Fields is.
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
		Body           Fields
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
	locationsOutput struct {
		Body struct {
			Locations []string `json:"locations" nullable:"false" doc:"Where employees are, by name"`
		}
	}
	islandOutput struct{ Body Island }
)

// changes are the fields to replace; what is absent stays as it is.
type changes struct {
	FullName *string   `json:"fullName,omitempty" minLength:"1" maxLength:"200"`
	Location *string   `json:"location,omitempty" minLength:"1" maxLength:"200"`
	JobTitle *string   `json:"jobTitle,omitempty" minLength:"1" maxLength:"200"`
	Badges   *[]string `json:"badges,omitempty" maxItems:"12"`
	Version  int64     `json:"version,omitempty" minimum:"1" doc:"Version that the update is based on; If-Match may say it instead"`
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
	api := humago.New(mux, config)
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		ctx.SetHeader("Cache-Control", askEachTime[0])
		next(ctx)
	})

	s.apiSession(api)
	register(api, s, http.MethodGet, "/api/employees", "list-employees", "Employees by name, a page at a time", s.apiList)
	register(api, s, http.MethodPost, "/api/employees", "create-employee", "Add an employee", s.apiCreate)
	register(api, s, http.MethodGet, "/api/employees/{id}", "get-employee", "An employee", s.apiGet)
	register(api, s, http.MethodPut, "/api/employees/{id}", "update-employee", "Replace an employee's fields", s.apiUpdate)
	register(api, s, http.MethodPatch, "/api/employees/{id}", "patch-employee", "Replace some of an employee's fields", s.apiPatch)
	register(api, s, http.MethodDelete, "/api/employees/{id}", "delete-employee", "Remove an employee", s.apiDelete)
	register(api, s, http.MethodPut, photoPath, "put-photo", "Set an employee's photo: JPEG, PNG or WebP, 10 MB and 16 megapixels at most", s.apiPutPhoto)
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

// basedOn returns the version that a change names, in If-Match or in its body.
func basedOn(ifMatch string, version int64) (int64, error) {
	if ifMatch == "" && version == 0 {
		return 0, &statusError{status: http.StatusPreconditionRequired, message: "Say which version the change is based on, in If-Match or version: it comes as ETag and version with the employee."}
	}
	if ifMatch == "" {
		return version, nil
	}
	named, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
	if err != nil || named < 1 || (version != 0 && named != version) {
		return 0, &statusError{http.StatusPreconditionFailed, "If-Match names no version of this employee: it takes one ETag, as it comes with the employee.", err}
	}
	return named, nil
}

// unmatched is err as HTTP says it of a request with If-Match.
func unmatched(err error) error {
	if errors.Is(err, directory.ErrConflict) {
		return &statusError{http.StatusPreconditionFailed, "Someone else changed this employee meanwhile: If-Match names an earlier version.", err}
	}
	return err
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
	if in.IfNoneMatch == etag(e) {
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
	for _, kind := range []string{"image/jpeg", "image/png", "image/webp", "application/octet-stream"} {
		body.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	api.OpenAPI().Paths[photoPath].Put.RequestBody = body
}

// apiPutPhoto replaces the photo of the version that is named, or of the present
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
	var version int64
	if in.IfMatch == "" {
		stored, err := s.Employees.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		version = stored.Version
	}
	return s.apiChange(ctx, in.VersionInput, version, upload, func(stored directory.Employee) directory.Employee { return stored })
}

// apiChange keeps what change makes of an employee, if that still is the version
// that the client named.
func (s *Server) apiChange(ctx context.Context, in VersionInput, version int64, upload *photo.Upload, change func(directory.Employee) directory.Employee) (*recordOutput, error) {
	version, err := basedOn(in.IfMatch, version)
	if err != nil {
		return nil, err
	}
	stored, err := s.Employees.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	e := change(stored)
	e.Version = version
	e, err = s.save(ctx, e, upload, s.Employees.Update)
	if in.IfMatch != "" {
		err = unmatched(err)
	}
	return &recordOutput{etag(e), recordOf(e)}, err
}

func (s *Server) apiDelete(ctx context.Context, in *VersionInput) (*struct{}, error) {
	var version int64
	if in.IfMatch != "" {
		var err error
		if version, err = basedOn(in.IfMatch, 0); err != nil {
			return nil, err
		}
	}
	err := s.Employees.Delete(ctx, in.ID, version)
	if err == nil {
		s.wrote(ctx, in.ID)
	}
	return nil, unmatched(err)
}

func (s *Server) apiLocations(ctx context.Context, _ *struct{}) (*locationsOutput, error) {
	out := &locationsOutput{}
	locations, err := s.Employees.Locations(ctx, maxLocations)
	out.Body.Locations = append([]string{}, locations...)
	return out, err
}

func (s *Server) apiIsland(context.Context, *struct{}) (*islandOutput, error) {
	return &islandOutput{Body: s.Island()}, nil
}
