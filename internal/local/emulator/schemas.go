package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// CreateOnly returns the properties of resource types whose change replaces a
// resource, by the schemas that the emulator replaces them by.
func CreateOnly(types []string) (map[string][]string, error) {
	python := interpreter()
	script, err := plugin.ReadFile("plugin/schemas.py")
	if err != nil {
		return nil, err
	}
	out, err := exec.Command(python, append([]string{"-c", string(script)}, types...)...).Output()
	if err != nil {
		said := ""
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
			said = lines[len(lines)-1]
		}
		return nil, fmt.Errorf("%s cannot read CloudFormation's schemas: run `make setup`, which fetches them: %s (%w)", python, said, err)
	}
	var properties map[string][]string
	return properties, json.Unmarshal(out, &properties)
}
