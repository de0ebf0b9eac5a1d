package lab

// Tree returns the directory of the hosts' root filesystem, shared by all that ask for the same packages: to be copied, never changed. It
// exists once Prepare has run.
func (l *Lab) Tree() string { return l.baseDir() }

// Repository returns the directory of the packages that hosts install, as apt reads it. It exists once Prepare has run.
func (l *Lab) Repository() string { return l.packagesDir() }
