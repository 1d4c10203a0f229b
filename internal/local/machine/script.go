package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
)

// bash runs scripts: as programs of a unit they are played as user data is, with the
// commands of Amazon Linux that the machine has, in this process and with its rights
// and memory.
const bash = "/usr/bin/bash"

func (u *unit) isScript() bool { return u.execStart[0] == bash }

// checkScripts returns an error if a script of the unit is not everybody's to read,
// or the unit says what is not played of scripts.
func (u *unit) checkScripts(root string) error {
	var errs []error
	for _, command := range [][]string{u.execStart, u.execStopPost} {
		if command == nil || command[0] != bash {
			continue
		}
		if len(command) < 2 {
			return fmt.Errorf("%s: want the file of a script after %s", u.name, bash)
		}
		info, err := os.Stat(filepath.Join(root, command[1]))
		if err != nil {
			return err
		}
		if u.dynamicUser {
			errs = append(errs, nobody.CheckRead(command[1], info.Mode()))
		}
	}
	if !u.isScript() {
		return errors.Join(errs...)
	}
	refused := map[string]bool{
		"Type=notify": u.kind == "notify", "WatchdogSec": u.watchdog > 0, "Limit…": len(u.limits) > 0, "PrivateTmp": u.privateTmp,
		"LoadCredential": len(u.credentials) > 0, "Environment": len(u.variables) > 0, "EnvironmentFile": len(u.environmentFiles) > 0, "WorkingDirectory": u.workingDirectory != "",
	}
	for _, directive := range slices.Sorted(maps.Keys(refused)) {
		if refused[directive] {
			errs = append(errs, fmt.Errorf("%s: the local cloud does not play %s where the program is a script", u.name, directive))
		}
	}
	return errors.Join(errs...)
}

// runScript runs the unit's script once.
func (s *supervisor) runScript(ctx context.Context) (result string) {
	s.finishJob(nil)
	err := s.script(ctx, s.unit.execStart[1:])
	switch {
	case ctx.Err() != nil: // the machine is stopped
		return success
	case err != nil:
		s.say("Main process exited: %v", err)
		return exitCode
	}
	s.say("Deactivated successfully.")
	return success
}

// stopPost runs the script of ExecStopPost, also where the machine is stopped.
func (s *supervisor) stopPost(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.stopWithin())
	defer cancel()
	if err := s.script(ctx, s.unit.execStopPost[1:]); err != nil {
		s.say("Control process exited: %v", err)
	}
}
