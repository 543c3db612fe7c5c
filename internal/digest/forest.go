package digest

import "context"

type forest struct{}

func newForest(ctx context.Context, h Hasher, items []Item, results []Result) *forest { return nil }
func (f *forest) run()                                                                {}
func (h Hasher) sumEach(ctx context.Context, items []Item, results []Result)          {}
