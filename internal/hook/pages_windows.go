package hook

import "context"

// installPages does nothing: on Windows `git model-sign --help` opens a page in the browser.
func (s *setup) installPages(context.Context) error {
	s.result.note("manual pages are not installed on Windows; git model-sign -h prints a summary")
	return nil
}

func (s *setup) uninstallPages(context.Context) error { return nil }

// pageFound says that nothing is missing.
func pageFound(context.Context) (string, bool) { return "", true }
