extension String {
  /// A name from outside (a file's, a model's, a column's) as a message shows it: on the message's own line. A line feed in it is shown
  /// as its picture: what follows would else stand there as if it were a message of ours.
  public var oneLine: String {
    guard utf8.contains(0x0A) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { $0 == "\n" ? "\u{240A}" : $0 }))
  }
}
