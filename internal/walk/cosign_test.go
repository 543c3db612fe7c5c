package walk

import "testing"

func TestIsCoSignatureName(t *testing.T) {
	for name, want := range map[string]bool{
		"model.bob.sig": true, "a/b/model.bob.sig": true, "model.x-1_2.sig": true, "model.0123456789012345678901234567890123456789.sig": true,
		"model.sig": false, "model..sig": false, "model.Bob.sig": false, "MODEL.bob.sig": false, "model.bob.SIG": false, "model.bob.SiG": false,
		"model.bob.oms.sig": false, "model.a.b.sig": false, "model.bob": false, "bob.sig": false, "xmodel.bob.sig": false,
		"model.01234567890123456789012345678901234567890.sig": false, "model.bób.sig": false, "model.b b.sig": false, "model.bob.sig/x": false,
		"model.\u212a.sig": false, "model.b\x00.sig": false, "model.\u017f.sig": false,
	} {
		if got := isCoSignatureName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// A file beside it has the better claim.
func TestSigns(t *testing.T) {
	held := func(name string) bool { return name == "d/model.bob" }
	for name, want := range map[string]bool{"d/model.bob.sig": false, "d/model.eve.sig": true, "model.bob.sig": true, "d/model.sig": true, "d/x.oms.sig": true, "d/x.sig": false} {
		if got := signs(name, held); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func FuzzCoSignatureName(f *testing.F) {
	f.Add("bob")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, signer string) {
		name, err := CoSignatureName(signer)
		if err == nil && (name != "model."+signer+".sig" || !isCoSignatureName("a/"+name) || isSignatureName(name)) {
			t.Errorf("%q: %q", signer, name)
		}
	})
}
