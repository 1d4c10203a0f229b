package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/getkin/kin-openapi/openapi3"
)

// TestOneMoreBadgeIsTaken everywhere: nothing but directory.Badges counts them.
func TestOneMoreBadgeIsTaken(t *testing.T) {
	before := directory.Badges
	t.Cleanup(func() { directory.Badges = before })
	directory.Badges = append(slices.Clone(before), directory.Badge{ID: "rocket", Name: "Rocket scientist"})
	var all []string
	for _, b := range directory.Badges {
		all = append(all, b.ID)
	}
	wearing := func(badges []string) string {
		b, err := json.Marshal(map[string]any{"fullName": "Ada", "location": "London", "jobTitle": "Analyst", "badges": badges})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	s := newSite(t, nil)
	fields := ada()
	fields["badges"] = all
	res, _ := s.submit("/employees", fields, nil)
	wantStatus(t, res, http.StatusSeeOther)
	_, page := s.get(res.Header.Get("Location"))
	wantText(t, page, "Rocket scientist")

	res, stored := s.do(http.MethodPost, "/api/employees", "application/json", wearing(all))
	wantStatus(t, res, http.StatusCreated)
	path := res.Header.Get("Location")
	res, _ = s.do(http.MethodPut, path, "application/json", stored) // its own record
	wantStatus(t, res, http.StatusOK)
	res, _ = s.do(http.MethodPatch, path, "application/json", wearing(all), "If-Match", `"2"`)
	wantStatus(t, res, http.StatusOK)

	tooMany := wearing(append(all, "bug"))
	for method, path := range map[string]string{http.MethodPost: "/api/employees", http.MethodPut: path, http.MethodPatch: path} {
		res, answer := s.do(method, path, "application/json", tooMany, "If-Match", `"3"`)
		wantStatus(t, res, http.StatusUnprocessableEntity)
		wantText(t, answer, "body.badges")
	}
}

// TestLimitsAreThoseOfTheDirectory: tags and templates cannot name a constant, so what
// they say is compared with those of the directory and of accounts.
func TestLimitsAreThoseOfTheDirectory(t *testing.T) {
	s := newSite(t, nil)
	_, text := s.get("/api/openapi.json")
	document, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	limited := []string{"fullName", "location", "jobTitle", "name"}
	var found int
	check := func(where, name string, most uint64) {
		if found++; most != directory.MaxField {
			t.Errorf("%s: %s has at most %d characters, want %d", where, name, most, directory.MaxField)
		}
	}
	for schema, s := range document.Components.Schemas {
		if s.Value.Properties["fullName"] == nil {
			continue // it is not an employee
		}
		for _, name := range limited[:3] {
			if most := s.Value.Properties[name].Value.MaxLength; most == nil {
				t.Errorf("%s: %s has no limit", schema, name)
			} else {
				check(schema, name, *most)
			}
		}
	}
	for _, path := range []string{"/api/employees", "/api/locations"} {
		for _, p := range document.Paths.Value(path).Get.Parameters {
			if slices.Contains(limited, p.Value.Name) {
				check(path, p.Value.Name, *p.Value.Schema.Value.MaxLength)
			}
		}
	}
	for _, path := range []string{"/", "/locations", "/employees/new"} {
		_, page := s.get(path)
		for _, input := range regexp.MustCompile(`<input[^>]* name="(\w+)"[^>]* maxlength="(\d+)"`).FindAllStringSubmatch(page, -1) {
			most, _ := strconv.ParseUint(input[2], 10, 64)
			check(path, input[1], most)
		}
	}
	if found < 17 {
		t.Errorf("%d limits are found, want those of three schemas, three parameters and five fields", found)
	}

	for path, most := range map[string]float64{"/api/employees": directory.MaxLimit, "/api/locations": directory.MaxLocations} {
		if limit := document.Paths.Value(path).Get.Parameters.GetByInAndName("query", "limit").Schema.Value; limit.Max == nil || *limit.Max != most {
			t.Errorf("%s: the limit of a page is not at most %v", path, most)
		}
	}
	longest := func(where string, most int, valid func(string) bool) {
		if !valid(strings.Repeat("a", most)) || valid(strings.Repeat("a", most+1)) {
			t.Errorf("%s: %d characters are not the most that are valid", where, most)
		}
	}
	id := document.Paths.Value("/api/employees/{id}").Get.Parameters.GetByInAndName("path", "id").Schema.Value
	longest("an employee's id", int(*id.MaxLength), directory.ValidID)
	_, page := s.as(t, "").get("/sign-in")
	name := regexp.MustCompile(`<input name="name"[^>]* maxlength="(\d+)"`).FindStringSubmatch(page)
	if name == nil {
		t.Fatal("an account's name has no limit")
	}
	most, _ := strconv.Atoi(name[1])
	longest("an account's name", most, directory.ValidAccountName)
	if want := fmt.Sprintf("%d to %d characters", account.MinPassword, account.MaxPassword); !strings.Contains(text, want) {
		t.Errorf("the API's description of a new password lacks %q", want)
	}
}
