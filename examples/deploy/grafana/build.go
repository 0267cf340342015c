package main

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// board is a dashboard.
type board struct {
	UID, Title, About string
	Rows              []row
}

// row is a row of panels.
type row struct {
	Title  string
	Panels []panel
}

// panel shows series over time, or with Now their last values.
type panel struct {
	Title, Unit string
	About       string
	Now         bool
	Queries     []query
}

// query is one of Prometheus, and what its series are called: a text in which {{label}} is
// a label's value.
type query struct{ Expr, Legend string }

// Sizes in Grafana's grid, which is 24 wide.
const (
	graphWidth, graphHeight = 8, 8
	valueWidth, valueHeight = 4, 4
)

// source is the data source that the dashboard's variable names.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

// encode is the dashboard as Grafana reads it.
func encode(b *board) ([]byte, error) {
	d := dashboard.NewDashboardBuilder(b.Title) //nolint:staticcheck // the second form is for new Grafanas alone, and this for all
	d = d.Uid(b.UID).Description(b.About).Tags([]string{"switchtape"}).
		Readonly().Tooltip(dashboard.DashboardCursorSyncCrosshair).Refresh("30s").Time("now-6h", "now").Timezone(common.TimeZoneBrowser).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		Link(dashboard.NewDashboardLinkBuilder("Switchtape").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"switchtape"}).AsDropdown(true))
	for _, r := range b.Rows {
		d = d.WithRow(dashboard.NewRowBuilder(r.Title))
		for _, p := range r.Panels {
			d = d.WithPanel(p.build())
		}
	}
	built, err := d.Build()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(built, "", "  ")
	return append(text, '\n'), err
}

func (p *panel) build() cog.Builder[dashboard.Panel] {
	if p.Now {
		b := stat.NewPanelBuilder().Title(p.Title).Description(p.About).Unit(p.Unit).Datasource(source()).
			Span(valueWidth).Height(valueHeight).GraphMode(common.BigValueGraphModeNone).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
		for _, q := range p.Queries {
			b = b.WithTarget(q.target())
		}
		return b
	}
	b := timeseries.NewPanelBuilder().Title(p.Title).Description(p.About).Unit(p.Unit).Datasource(source()).
		Span(graphWidth).Height(graphHeight).LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true))
	for _, q := range p.Queries {
		b = b.WithTarget(q.target())
	}
	return b
}

func (q *query) target() *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q.Expr).LegendFormat(q.Legend).Exemplar(true).Range()
}
