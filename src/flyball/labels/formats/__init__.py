"""Labels as other tools write them: Label Studio, COCO, CSV. Text in, nouns out, and back; no file or network is touched."""
