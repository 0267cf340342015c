package userhttp

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
)

// atOnce is how many users of an import one transaction has, and maxLineFaults how many
// faults are told of one.
const (
	atOnce        = 500
	maxLineFaults = 100
)

// importUsers stores the users of a body in lines. Nothing is stored unless every line
// can be read; then they are stored some hundreds at a time, and the first that can't be
// ends it. What is as it is there is no change, so the same body may be sent again.
func (h *Handler) importUsers(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	body, err := problem.Body(w, r, maxLines)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	region, err := h.regionOf(ctx, t)
	cancel()
	if err != nil {
		return err
	}
	list, lines, err := readLines(body, t, region)
	if err != nil {
		return err
	}
	for at := 0; at < len(list); at += atOnce {
		end := min(at+atOnce, len(list))
		ctx, cancel := h.within(r)
		err := h.store.PutUsers(ctx, list[at:end], p.Subject)
		cancel()
		if err != nil {
			return inLines(err, lines[at:end])
		}
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Users int `json:"users"`
	}{len(list)})
	return nil
}

// readLines reads the users, with the line of each, or says what is wrong in which line.
func readLines(body []byte, t callmodel.TenantID, region string) (list []users.User, lines []int, err error) {
	var faults callmodel.FieldErrors
	seen := map[users.ID]int{}
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		u, err := decodeUser(line, t, "", region)
		var of callmodel.FieldErrors
		if err != nil && !errors.As(err, &of) {
			return nil, nil, callmodel.Errorf(callmodel.CodeMalformed, "line %d: %w", n, err)
		}
		if first, twice := seen[u.ID]; twice && err == nil {
			of.Add("id", "is the id of line %d, too", first)
		}
		for _, f := range of {
			f.Line = n
			faults = append(faults, f)
		}
		if len(faults) >= maxLineFaults {
			break
		}
		seen[u.ID] = n
		list, lines = append(list, u), append(lines, n)
	}
	return list, lines, faults.Err()
}

// inLines gives the faults of users that were put together the lines of these.
func inLines(err error, lines []int) error {
	faults, ok := errors.AsType[callmodel.FieldErrors](err)
	if !ok {
		return err
	}
	for i := range faults {
		index, path, found := strings.Cut(strings.TrimPrefix(faults[i].Path, "["), "].")
		if !found { // of the only one
			faults[i].Line = lines[0]
			continue
		}
		if n, err := strconv.Atoi(index); err == nil && n < len(lines) {
			faults[i].Line, faults[i].Path = lines[n], path
		}
	}
	return faults
}
