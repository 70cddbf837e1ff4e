"""What office programs write: Word, PowerPoint, Excel, OpenDocument, RTF, e-books, HWP and HWPX."""
