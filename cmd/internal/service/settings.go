package service

import (
	"fmt"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/settings"
)

// SettingsOptions say which service is asked how calls are recorded.
type SettingsOptions struct {
	SettingsURL         string        `help:"Settings service that is asked how calls are recorded. Default: their requests, users and tenants say it alone." placeholder:"URL"`
	SettingsToken       cli.Secret    `help:"Bearer token for the settings service. In a file, or in the environment." placeholder:"@FILE"`
	SettingsTimeout     time.Duration `help:"How long a call waits for the settings service at most." default:"150ms"`
	SettingsAt          []string      `help:"When it is asked: once the call was routed, before its recording is made, or both: ${enum}." default:"start" enum:"start,end"`
	SettingsHedge       time.Duration `help:"After how long a second request is sent. 0: when 95 of 100 answers would have come; negative: never." default:"0"`
	SettingsMaxInFlight int           `help:"Calls that wait for the settings service at once." default:"256"`
	SettingsCacheSize   int           `help:"Answers that are kept for when the settings service has none. Negative: none." default:"10000"`
	SettingsCacheTTL    time.Duration `help:"How long such answers are good." default:"10m"`
}

// settings is the client of the settings service, nil if there is none, and when it is
// asked.
func (o SettingsOptions) settings(m *ops.Metrics, check func([]record.OutputSpec) error) (callservice.SettingsService, []callservice.SettingsMoment, error) {
	if o.SettingsURL == "" {
		return nil, nil, nil
	}
	s := &settings.Options{
		Budget: o.SettingsTimeout, HedgeAfter: o.SettingsHedge, MaxInFlight: o.SettingsMaxInFlight,
		CacheSize: o.SettingsCacheSize, CacheTTL: o.SettingsCacheTTL, CheckOutputs: check, Now: clock.Now, Asked: m.AskedSettings,
	}
	if o.SettingsToken != "" {
		s.Header = http.Header{"Authorization": {"Bearer " + string(o.SettingsToken)}}
	}
	c, err := settings.New(o.SettingsURL, s)
	if err != nil {
		return nil, nil, fmt.Errorf("--settings-url: %w", err)
	}
	var at []callservice.SettingsMoment
	for _, moment := range o.SettingsAt {
		at = append(at, callservice.SettingsMoment(moment))
	}
	m.Gauge("switchtape_settings_breaker_open", func() float64 {
		if c.Open() {
			return 1
		}
		return 0
	})
	m.Gauge("switchtape_settings_kept_answers", func() float64 { return float64(c.Kept()) })
	return c, at, nil
}
