package console

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// holdsOn are the legal holds on the call itself, oldest first, for who may read them; of
// holds on its users, numbers or tenant the page says nothing.
func (c *Console) holdsOn(r *http.Request, call string) ([]retention.Hold, error) {
	who, _ := callmodel.PrincipalFrom(r.Context())
	if !who.Allows(callmodel.ScopeHoldsRead) {
		return nil, nil
	}
	got, err := get[struct {
		Holds []retention.Hold `json:"holds"`
	}](c, r, "/v1/holds", url.Values{"scope": {string(retention.HoldCall)}, "subject": {call}})
	return got.Holds, err
}

// liftHold lifts a hold, and has the reason kept.
func (c *Console) liftHold(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	if _, err := callID(r); err != nil {
		return err
	}
	to := "/v1/holds/" + url.PathEscape(r.PathValue("hold")) + "/lift"
	if _, err := post[json.RawMessage](c, r, to, map[string]string{"reason": r.PostFormValue("reason")}); err != nil {
		return err
	}
	return c.done(w, r, "The hold was lifted. What is due to be deleted is, unless another hold is on it.")
}
