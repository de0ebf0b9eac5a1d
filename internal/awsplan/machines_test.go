package awsplan

import (
	"testing"
)

func TestATypesNameTellsItsArchitecture(t *testing.T) {
	for name, want := range map[string]string{
		"m7i.2xlarge": amd64, "m7g.large": arm64, "t4g.nano": arm64, "t3a.small": amd64, "a1.large": arm64, "g4dn.xlarge": amd64,
		"g5g.xlarge": arm64, "c7gn.16xlarge": arm64, "im4gn.large": arm64, "is4gen.medium": arm64, "m7i-flex.large": amd64,
		"x2iedn.32xlarge": amd64, "i8ge.large": arm64, "m8azn.large": amd64, "c7a.medium": amd64, "m7g.metal": arm64,
		"c8gd.metal-24xl": arm64, "r7iz.metal-16xl": amd64, "hpc7g.4xlarge": arm64,
	} {
		parsed, ok := parseType(name)
		if !ok || parsed.arch() != want {
			t.Errorf("%s: %+v, %v, of %s; wanted %s", name, parsed, ok, parsed.arch(), want)
		}
	}
	for _, name := range []string{"", "m7i", "m7i.", ".large", "7i.large", "m7i.big", "M7I.large", "m7i.large ", "m7i.1234xlarge"} {
		if parsed, ok := parseType(name); ok {
			t.Errorf("%q is read as %+v", name, parsed)
		}
	}
}

func TestTypesWithoutNVMeAreToldFromLaterOnes(t *testing.T) {
	for name, want := range map[string]bool{
		"t2.micro": true, "t3.micro": false, "m4.large": true, "m5.large": false, "i3.large": true, "i3en.large": false, "i3.metal": false,
		"r4.large": true, "c5.large": false, "x1e.xlarge": true, "x2gd.large": false, "z1d.large": false, "a1.large": false, "d3.xlarge": false,
	} {
		if parsed, _ := parseType(name); parsed.withoutNVMe() != want {
			t.Errorf("%s: %v, wanted %v", name, !want, want)
		}
	}
}

func TestATypesNameTellsItsSize(t *testing.T) {
	for name, want := range map[string][2]int{
		"m7i.2xlarge": {8, 32}, "m7i.large": {2, 8}, "c7i.xlarge": {4, 8}, "r7i.xlarge": {4, 32}, "t3.medium": {2, 4}, "t3.xlarge": {4, 16},
		"t4g.nano": {2, 0}, "c7g.medium": {1, 2}, "i4i.2xlarge": {8, 0}, "m7i.metal-24xl": {0, 0},
	} {
		parsed, _ := parseType(name)
		if cores, memory := parsed.cores(); cores != want[0] || memory != want[1] {
			t.Errorf("%s has %d vCPUs and %d GiB, wanted %v", name, cores, memory, want)
		}
	}
}

func TestDefaultTypesSuitTheirHosts(t *testing.T) {
	for _, network := range []string{"mainnet", "lisbon", "berlin", "custom", "another"} {
		for _, role := range []string{PRep, Citizen, Sentry, Bastion} {
			for _, arch := range []string{"", amd64, arm64} {
				c := &collector{}
				name := defaultType(Host{Name: "h", Role: role, Arch: arch}, network)
				c.machineType("k", name, Host{Name: "h", Role: role, Arch: arch}, network)
				if len(c.problems) > 0 {
					t.Errorf("%s of %s on %q: %s is refused: %v", role, network, arch, name, c.problems)
				}
			}
		}
	}
}

// ext4 is the size of a file system on a volume, as df counts it: without inodes, journal and bitmaps, with a little more taken away.
func ext4(gib int) float64 {
	const size = 1 << 30
	return float64(gib)*size*(1-1.0/64-1.0/2000) - size
}

func TestTheDefaultVolumeHoldsTheFileSystemThatIsAsked(t *testing.T) {
	for gb := 1; gb <= 20000; gb++ {
		gib := dataGB(gb)
		if ext4(gib) < float64(gb)*1e9 {
			t.Fatalf("%d GB: a volume of %d GiB is too small", gb, gib)
		}
		if float64(gib) > float64(gb)*1.02+15 {
			t.Fatalf("%d GB: a volume of %d GiB is needlessly large", gb, gib)
		}
	}
	if got := [3]int{dataGB(2500), dataGB(500), dataGB(1)}; got != [3]int{2380, 480, 10} {
		t.Errorf("volumes of mainnet, a test network and a network of one's own: %v", got)
	}
}

func TestVolumesHaveTheSpeedOfTheirNetwork(t *testing.T) {
	s, n := fronted()
	if got := *designed(t, s, n).Hosts[0].Data; got != (Volume{GB: 2380, IOPS: 6000, Throughput: 250}) {
		t.Errorf("mainnet: %+v", got)
	}
	s, n = single()
	if got := *designed(t, s, n).Hosts[0].Data; got != (Volume{GB: 480, IOPS: 3000, Throughput: 125}) {
		t.Errorf("lisbon: %+v", got)
	}
	s.Machines = map[string]Machine{"prep": {DataGB: 1000, DataIOPS: 16000, DataThroughput: 1000, RestoreFrom: "snap-01234567", RootGB: 50}}
	h := designed(t, s, n).Hosts[0]
	if want := (Volume{GB: 1000, IOPS: 16000, Throughput: 1000, RestoreFrom: "snap-01234567"}); *h.Data != want || h.RootGB != 50 {
		t.Errorf("as wished: %+v, root %d", *h.Data, h.RootGB)
	}
	if d := designed(t, s, n); d.Hosts[1].Data != nil {
		t.Error("the bastion has a volume for chain data")
	}
}

func FuzzInstanceType(f *testing.F) {
	for _, name := range []string{"m7i.2xlarge", "u-6tb1.metal", "t4g.nano", "..", "m99999999999999999999.large"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		parsed, ok := parseType(name)
		if arch := parsed.arch(); ok && arch != amd64 && arch != arm64 {
			t.Errorf("%q is of %q", name, arch)
		}
		if cores, memory := parsed.cores(); cores < 0 || memory < 0 || !ok && cores != 0 {
			t.Errorf("%q has %d vCPUs and %d GiB", name, cores, memory)
		}
		c := &collector{}
		c.machineType("k", name, Host{Name: "h", Role: PRep}, "mainnet")
		if !ok && len(c.problems) != 1 {
			t.Errorf("%q: problems %v", name, c.problems)
		}
	})
}

func FuzzLoginKey(f *testing.F) {
	for _, text := range []string{edKey(1), rsaKey(256), rsaKey(384), "", "ssh-rsa AAAA", privateKey, edKey(1) + " a comment"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &collector{}
		if key, ok := c.loginKey("k", text); ok == (len(c.problems) > 0) || ok && key == nil {
			t.Errorf("%q: %v, problems %v", text, key, c.problems)
		}
	})
}
