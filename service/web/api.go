package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Fields are what a client says of an employee. The type is exported since huma
// leaves embedded types that are not out of the schema.
type Fields struct {
	FullName string   `json:"fullName" minLength:"1" maxLength:"200" example:"Ada Lovelace"`
	Location string   `json:"location" minLength:"1" maxLength:"200" example:"London"`
	JobTitle string   `json:"jobTitle" minLength:"1" maxLength:"200" example:"Analyst"`
	Badges   []string `json:"badges,omitempty" doc:"Ids of badges" maxItems:"12"`
}

func (f Fields) employee() directory.Employee {
	return directory.Employee{FullName: f.FullName, Location: f.Location, JobTitle: f.JobTitle, Badges: f.Badges}
}

// record is an employee as the API shows one.
type record struct {
	ID string `json:"id" readOnly:"true"`
	Fields
	PhotoURL string    `json:"photoUrl,omitempty" doc:"Address of the photo, on this service; absent where there is none"`
	Version  int64     `json:"version" doc:"Counts the changes; an update names the one it is based on"`
	Updated  time.Time `json:"updated" doc:"Time of the last change"`
}

func recordOf(e directory.Employee) record {
	return record{
		ID:       e.ID,
		Fields:   Fields{FullName: e.FullName, Location: e.Location, JobTitle: e.JobTitle, Badges: e.Badges},
		PhotoURL: photoURL(e), Version: e.Version, Updated: e.Updated,
	}
}

type (
	recordOutput struct{ Body record }
	idInput      struct {
		ID string `path:"id" maxLength:"64" doc:"The employee's id"`
	}
	listInput struct {
		After string `query:"after" doc:"Cursor: the next of the page before"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"Employees on a page"`
	}
	listOutput struct {
		Body struct {
			Employees []record `json:"employees" nullable:"false"`
			Next      string   `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
		}
	}
	createInput  struct{ Body Fields }
	createOutput struct {
		Location string `header:"Location" doc:"Address of the new employee"`
		Body     record
	}
	updateInput struct {
		ID   string `path:"id" maxLength:"64" doc:"The employee's id"`
		Body struct {
			Fields
			Version int64 `json:"version" minimum:"1" doc:"Version that the update is based on"`
		}
	}
	photoInput struct {
		ID      string `path:"id" maxLength:"64" doc:"The employee's id"`
		RawBody []byte `contentType:"application/octet-stream"`
	}
	islandOutput struct{ Body Island }
)

// api adds the routes of the JSON API and its OpenAPI document.
func (s *Server) api(mux *http.ServeMux) {
	config := huma.DefaultConfig("Archipelago employee directory", s.Island().Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", "/api/schemas"
	config.CreateHooks = nil // no $schema links in the answers
	lenient := config.Formats["application/json"]
	lenient.Unmarshal = unmarshalJSON
	config.Formats = map[string]huma.Format{"application/json": lenient, "json": lenient}
	api := humago.New(mux, config)

	register(api, s, http.MethodGet, "/api/employees", "list-employees", "Employees by name, a page at a time", s.apiList)
	register(api, s, http.MethodPost, "/api/employees", "create-employee", "Add an employee", s.apiCreate)
	register(api, s, http.MethodGet, "/api/employees/{id}", "get-employee", "An employee", s.apiGet)
	register(api, s, http.MethodPut, "/api/employees/{id}", "update-employee", "Replace an employee's fields", s.apiUpdate)
	register(api, s, http.MethodDelete, "/api/employees/{id}", "delete-employee", "Remove an employee", s.apiDelete)
	register(api, s, http.MethodPut, "/api/employees/{id}/photo", "put-photo", "Set an employee's photo: JPEG, PNG or WebP, 10 MB and 16 megapixels at most", s.apiPutPhoto)
	register(api, s, http.MethodGet, "/api/island", "get-island", "Where this answer comes from", s.apiIsland)
}

// register adds one operation whose errors are mapped as those of the pages.
func register[I, O any](api huma.API, s *Server, method, path, id, summary string, handler func(context.Context, *I) (*O, error)) {
	operation := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		DefaultStatus: defaultStatus(method), MaxBodyBytes: maxBody, BodyReadTimeout: ReadTimeout,
	}
	huma.Register(api, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
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
	if e.status == http.StatusServiceUnavailable {
		return huma.ErrorWithHeaders(problem, http.Header{"Retry-After": {"5"}})
	}
	return problem
}

// unmarshalJSON names the place at which JSON is malformed.
func unmarshalJSON(data []byte, v any) error {
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

func (s *Server) apiList(ctx context.Context, in *listInput) (*listOutput, error) {
	page, err := s.Employees.Page(ctx, directory.Query{After: in.After, Limit: in.Limit})
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

func (s *Server) apiGet(ctx context.Context, in *idInput) (*recordOutput, error) {
	e, err := s.Employees.Get(ctx, in.ID)
	return &recordOutput{recordOf(e)}, err
}

func (s *Server) apiCreate(ctx context.Context, in *createInput) (*createOutput, error) {
	e := in.Body.employee()
	e.ID = directory.NewID()
	e, err := s.save(ctx, e, nil, s.Employees.Create)
	return &createOutput{"/api/employees/" + e.ID, recordOf(e)}, err
}

func (s *Server) apiUpdate(ctx context.Context, in *updateInput) (*recordOutput, error) {
	stored, err := s.Employees.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	e := in.Body.employee()
	e.ID, e.Photo, e.Version = stored.ID, stored.Photo, in.Body.Version
	e, err = s.save(ctx, e, nil, s.Employees.Update)
	return &recordOutput{recordOf(e)}, err
}

func (s *Server) apiDelete(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.Employees.Delete(ctx, in.ID, 0)
}

func (s *Server) apiPutPhoto(ctx context.Context, in *photoInput) (*recordOutput, error) {
	e, err := s.Employees.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	e, err = s.save(ctx, e, in.RawBody, s.Employees.Update)
	return &recordOutput{recordOf(e)}, err
}

func (s *Server) apiIsland(context.Context, *struct{}) (*islandOutput, error) {
	return &islandOutput{s.Island()}, nil
}
