package fetch

// unknownExtension stands for a file whose kind neither link nor server told.
const unknownExtension = "media"

// mediaExtensions are those by which a link says that it is a media file
// itself. What it really is, its bytes say.
var mediaExtensions = []string{
	"mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "ts", "m2ts", "mts", "mpg", "mpeg", "m2v", "vob",
	"flv", "f4v", "wmv", "asf", "ogv", "ogg", "ogm", "mxf", "3gp", "3g2", "dv", "divx",
	"mp3", "m4a", "aac", "flac", "wav", "opus", "oga", "wma", "mka", "ac3",
}

// mediaTypes are content types and the extension that a file of it gets.
var mediaTypes = map[string]string{
	"video/mp4": "mp4", "video/x-m4v": "m4v", "video/quicktime": "mov", "video/x-matroska": "mkv",
	"video/webm": "webm", "video/x-msvideo": "avi", "video/mp2t": "ts", "video/mpeg": "mpg",
	"video/x-flv": "flv", "video/x-ms-wmv": "wmv", "video/ogg": "ogv", "application/mxf": "mxf", "video/3gpp": "3gp",
	"audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/aac": "aac", "audio/flac": "flac", "audio/wav": "wav",
	"audio/ogg": "oga", "audio/opus": "opus",
}
