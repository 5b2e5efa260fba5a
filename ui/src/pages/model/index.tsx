export { default } from "@/pages/model/Model";
